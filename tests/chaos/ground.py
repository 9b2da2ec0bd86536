"""Where a storm takes place: one folder with an inbox, an outbox, and what the workers left behind."""

from dataclasses import dataclass
from pathlib import Path

from store.folder import FolderBucket
from store.leftovers import leftovers
from tests.chaos.diary import Diary


@dataclass(frozen=True, slots=True)
class Ground:
    """The folder of one run; what lies in it is read anew at every question."""

    folder: Path

    def make(self) -> None:
        """Make inbox, outbox and the folder of the logs."""
        for folder in (self.inbox, self.outbox, self.logs):
            folder.mkdir(parents=True)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def queue(self) -> None:
        """Nothing announces a folder."""
        return None

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def diary(self) -> Diary:
        return Diary(self.folder / "diary")

    def waiting(self) -> list[str]:
        """The requests and cancels in the inbox."""
        names = (path.name for path in self.inbox.iterdir() if not path.name.startswith("."))
        return sorted(name for name in names if name.endswith((".json", ".cancel")))

    def claims(self) -> list[str]:
        return _names(self.inbox / ".imagegen" / "claims")

    def progress(self) -> list[str]:
        return _names(self.outbox / "progress")

    def put_aside(self, where: str) -> dict[str, set[str]]:
        """The names of the files in the archive or in quarantine, by the id they were put aside for."""
        found: dict[str, set[str]] = {}
        for path in (self.inbox / ".imagegen" / where).glob("*/*"):
            found.setdefault(path.parent.name.rpartition(".")[0], set()).add(path.name)
        return found

    def result(self, identifier: str) -> Path:
        return self.outbox / "results" / f"{identifier}.json"

    def results(self) -> list[Path]:
        return sorted((self.outbox / "results").glob("*.json"))

    def conflicts(self) -> list[str]:
        return _names(self.outbox / "results" / "conflicts")

    def temporaries(self) -> int:
        """How many temporary files there are; once all workers have ended, those of killed ones."""
        return sum(len(leftovers(FolderBucket(place.resolve()))) for place in (self.inbox, self.outbox))


def _names(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in names if not name.startswith("."))
