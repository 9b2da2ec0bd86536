"""One lane: an inbox, its queue where it has one, and all that carries its requests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.clock import Clock
from pipeline.styles import Styles
from store.bucket import Bucket
from store.hints import Hints
from store.location import folder_of, s3_place
from store.outbox import Outbox
from watcher.activity import Activity
from watcher.alarm import Alarm
from watcher.announced import Address
from watcher.claim import Claim, Claims
from watcher.deliveries import Deliveries
from watcher.door import Door, Lane
from watcher.doorbell import Doorbell
from watcher.ear import Ear
from watcher.finds import Finds
from watcher.foreign import ForeignMessages
from watcher.inbox import Inbox
from watcher.lease import Leases
from watcher.listener import Listener
from watcher.listening import Listening
from watcher.look import Patience, Readiness
from watcher.lookahead import Lookahead
from watcher.message import Queue
from watcher.names import request_id
from watcher.onlooker import Onlooker
from watcher.peek import checkpoint_peek
from watcher.place import InboxPlace, open_place
from watcher.progress import Oversight
from watcher.receipts import Receipts
from watcher.redriven import RedriveNotes
from watcher.references import References
from watcher.report import Reporter
from watcher.rounds import Bell, Pace, Rounds
from watcher.sentinel import Sentinel
from watcher.service import Draw, Service
from watcher.settings import LaneSettings, Settings
from watcher.steadiness import Steadiness
from watcher.stray_cancels import StrayCancels
from watcher.validate import Validator
from watcher.window import Window
from watcher.worker import Worker

# how often live progress is written, and a cancel looked for; every time costs S3 a few calls
_SHOW_SECONDS, _SHOW_SECONDS_IN_S3 = 0.5, 2.0
_LONGEST_BUSY_SECONDS = 15.0
# how long a lane waits for a slot that another one may give up, before it looks around again
_SLOT_SECONDS = 5.0


class Rings(Bell, Protocol):
    """A bell that listens to something."""

    def start(self) -> None:
        """Begin to listen."""

    def stop(self) -> None:
        """Listen no more, and wake whoever waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What all lanes of a worker share; `obstacle` tells of what is amiss with the worker or the outbox.

    quantum: how many drawings in a row a swap is worth.
    """

    settings: Settings
    clock: Clock
    worker: Worker
    versions: dict[str, str]
    styles: Styles
    outgoing: Bucket
    window: Window
    listening: Listening
    activity: Activity
    draw: Draw
    prepare: Callable[[], None]
    obstacle: Callable[[], str | None]
    quantum: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLane:
    """A lane that can be served, by its rounds or, where it has a queue, by its listener."""

    name: str
    service: Service
    leases: Leases
    onlooker: Onlooker
    doorbell: Rings
    rounds: Rounds
    listener: Listener | None

    @property
    def served(self) -> Rounds | Listener:
        """What serves the lane while the worker runs."""
        return self.listener or self.rounds


def open_lane(lane: LaneSettings, common: Common) -> OpenLane:
    """The parts of one lane; raises SettingsInvalid where its inbox or queue cannot be used."""
    place = open_place(lane.inbox, common.settings.s3, make=True)
    outbox = Outbox(common.outgoing)
    service, leases = _service(lane, place, outbox, common)
    folder = folder_of(lane.inbox)
    doorbell: Rings = Alarm() if folder is None else Doorbell(folder)
    carried = Lane(
        name=lane.inbox,
        inbox=service.inbox,
        handle=service.handle,
        settle_again=service.settle_again,
        prepare=common.prepare,
    )
    sentinel = None if folder is None else Sentinel(folder, place.bucket, f"{place.state}sentinel")

    def obstacle() -> str | None:
        if sentinel is not None:
            sentinel.check()
        return common.obstacle()

    return OpenLane(
        name=lane.inbox,
        service=service,
        leases=leases,
        onlooker=service.oversight.onlooker,
        doorbell=doorbell,
        rounds=_rounds(carried, doorbell, obstacle, common),
        listener=None if lane.queue is None else _listener(lane, place, carried, doorbell, obstacle, common),
    )


def _service(lane: LaneSettings, place: InboxPlace, outbox: Outbox, common: Common) -> tuple[Service, Leases]:
    settings, clock = common.settings, common.clock
    references = References(place.bucket, place.incoming, settings.drawing.limits, clock, settings.settle_seconds)
    redrives = RedriveNotes(place.bucket, place.state)
    validator = Validator(settings.drawing.limits, common.styles.names, references, redrives.root_of)
    claims = Claims(place.bucket, f"{place.state}claims/", common.worker, clock, settings.lease_seconds)
    patience = Patience(settle=settings.settle_seconds, reference=settings.reference_seconds)
    readiness = Readiness(place.bucket, f"{place.state}seen/", validator, references, patience, clock)
    inbox = Inbox(place, outbox, claims, readiness, Steadiness(clock))

    def hangs(claim: Claim) -> bool:
        if not common.activity.hangs(claim.id, settings.stall_seconds):
            return False
        if common.activity.awaits_turn(claim.id):
            # who waits behind a hung drawing never gets its turn here; it is given back at no cost
            inbox.release(claim, counted=False)
        return True

    leases = Leases(claims.renew, settings.lease_seconds, hangs)
    is_local = s3_place(lane.inbox) is None and s3_place(settings.outbox) is None
    onlooker = Onlooker(_SHOW_SECONDS if is_local else _SHOW_SECONDS_IN_S3)
    service = Service(
        inbox=inbox,
        outbox=outbox,
        hints=Hints(common.outgoing),
        validator=validator,
        reporter=Reporter(common.worker.name, common.versions, clock, redrives.root_of),
        draw=common.draw,
        lease=leases.hold,
        clock=clock,
        oversight=Oversight(
            outbox=outbox,
            clock=clock,
            worker=common.worker.name,
            activity=common.activity,
            is_cancelled=inbox.is_cancelled,
            max_seconds=settings.max_request_seconds,
            onlooker=onlooker,
        ),
        max_attempts=settings.max_attempts,
    )
    return service, leases


def _rounds(lane: Lane, bell: Bell, obstacle: Callable[[], str | None], common: Common) -> Rounds:
    settings = common.settings
    pace = Pace(
        scan_seconds=settings.scan_interval(lane.name),
        cancel_seconds=settings.cancel_seconds,
        slot_seconds=_SLOT_SECONDS if len(settings.all_lanes) > 1 else 0.0,
    )
    # a glance at each request is a file to read, and would be a call to pay for
    is_folder = s3_place(lane.name) is None
    lookahead = Lookahead(checkpoint_peek(lane.inbox, common.styles), common.quantum, common.clock)
    return Rounds(
        lane,
        common.window,
        bell,
        common.clock,
        obstacle=obstacle,
        pace=pace,
        lookahead=lookahead if is_folder else None,
    )


def _listener(
    settings: LaneSettings,
    place: InboxPlace,
    lane: Lane,
    bell: Bell,
    obstacle: Callable[[], str | None],
    common: Common,
) -> Listener:
    queue, address = _open_queue(settings, common.settings)
    clock, visibility = common.clock, common.settings.visibility_seconds
    busy = min(common.settings.lease_seconds / 4, _LONGEST_BUSY_SECONDS)
    door = Door(lane, common.window, clock, busy_seconds=busy)
    receipts = Receipts(queue, visibility)
    cancels = StrayCancels(lane.inbox, common.settings.cancel_seconds)
    return Listener(
        door,
        common.window,
        Ear(lane.name, queue, common.listening, visibility, bell.ring, clock),
        receipts,
        Deliveries(queue, receipts, door.forget),
        Finds(lane.inbox, cancels, clock, scan_seconds=common.settings.scan_interval(lane.name)),
        ForeignMessages(place),
        bell,
        clock,
        address=address,
        obstacle=obstacle,
        hangs=lambda name: common.activity.hangs(request_id(name), common.settings.stall_seconds),
    )


def _open_queue(lane: LaneSettings, settings: Settings) -> tuple[Queue, Address]:
    # boto3 takes a while to import, and comes with an extra
    from watcher.sqs import SqsQueue

    found = s3_place(lane.inbox)
    if found is None or lane.queue is None:
        raise ValueError(f"{lane.inbox} has no queue")
    queue = SqsQueue(lane.queue, region=settings.s3.region, profile=settings.s3.profile)
    return queue, Address(bucket=found.bucket, prefix=found.prefix)
