"""Messages as each store and each way of delivery writes them; {key} stands where the key goes, encoded or not."""

import json
from urllib.parse import quote, quote_plus

DIRECT = """{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1",
"eventTime":"2023-04-12T20:43:38.021Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"A1YQ72UWCM96UF"},
"requestParameters":{"sourceIPAddress":"93.108.161.96"},
"responseElements":{"x-amz-request-id":"YMSSR8BZJ2Y99K6P","x-amz-id-2":"6ASrUfj5xpn8"},
"s3":{"s3SchemaVersion":"1.0","configurationId":"SNS",
"bucket":{"name":"pictures","ownerIdentity":{"principalId":"A1YQ72UWCM96UF"},"arn":"arn:aws:s3:::pictures"},
"object":{"key":{key},"size":104681,"eTag":"2e3ad1e983318bbd8e73b080e2997980",
"versionId":"yd3d4HaWOT2zguDLvIQLU6ptDTwKBnQV","sequencer":"00643717F9F8B85354"}}}]}"""

MOTO = """{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
"eventTime": "2026-11-26T10:00:00.000Z", "eventName": "ObjectCreated:Put", "s3": {"s3SchemaVersion": "1.0",
"configurationId": "x", "bucket": {"name": "pictures", "arn": "arn:aws:s3:::pictures"},
"object": {"key": {key}, "size": 5, "eTag": "5d41402abc4b2a76b9719d911017c592"}}}]}"""

MINIO = """{"EventName":"s3:ObjectCreated:Put","Key":"pictures/inbox/elsewhere.json","Records":[{"eventVersion":"2.0",
"eventSource":"minio:s3","awsRegion":"","eventTime":"2024-05-05T05:05:05.555Z","eventName":"s3:ObjectCreated:Put",
"userIdentity":{"principalId":"minio"},"requestParameters":{"principalId":"minio","region":"","sourceIPAddress":"::1"},
"responseElements":{"x-amz-request-id":"17C","x-minio-deployment-id":"a","x-minio-origin-endpoint":"http://[::1]:9000"},
"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"pictures",
"ownerIdentity":{"principalId":"minio"},"arn":"arn:aws:s3:::pictures"},"object":{"key":{key},"size":7,"eTag":"9",
"contentType":"application/json","userMetadata":{"content-type":"application/json"},"sequencer":"17C8"}},
"source":{"host":"::1","port":"","userAgent":"MinIO"}}]}"""

CEPH = """{"Records":[{"eventVersion":"2.2","eventSource":"ceph:s3","awsRegion":"default",
"eventTime":"2026-01-02T03:04:05.678901Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"tester"},
"requestParameters":{"sourceIPAddress":""},"responseElements":{"x-amz-request-id":"9a.1.2","x-amz-id-2":"1-default"},
"s3":{"s3SchemaVersion":"1.0","configurationId":"n","bucket":{"name":"pictures",
"ownerIdentity":{"principalId":"tester"},"arn":"arn:aws:s3:default::pictures","id":"9a.3"},
"object":{"key":{key},"size":3,"eTag":"acbd18db4cc2f85cedef654fccc4a4d8","versionId":"","sequencer":"5A6B","metadata":[],
"tags":[]}},"eventId":"1700000000.1.acbd","opaqueData":""}]}"""

EVENT_BRIDGE = """{"version":"0","id":"f5f1e65c-dc3a-93ca-6c1e-b1647eac7963","detail-type":"Object Created",
"source":"aws.s3","account":"123456789012","time":"2023-03-08T17:50:14Z","region":"eu-west-1",
"resources":["arn:aws:s3:::pictures"],"detail":{"version":"0","bucket":{"name":"pictures"},
"object":{"key":{key},"size":184662,"etag":"4e68adba0abe2dc8653dc3354e14c01d","version-id":"optional",
"sequencer":"006408CAD69598B05E"},"request-id":"57H08PA84AB1JZW0","requester":"123456789012",
"source-ip-address":"34.252.34.74","reason":"PutObject"}}"""

TEST_EVENT = """{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"pictures",
"RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"}"""

_SNS = {
    "Type": "Notification",
    "MessageId": "d88d4479-eec0-54fe-b63f-1cf9df4bb17b",
    "TopicArn": "arn:aws:sns:eu-west-1:231436140809:topic",
    "Subject": "Amazon S3 Notification",
    "Timestamp": "2021-01-19T10:07:07.287Z",
    "SignatureVersion": "1",
    "Signature": "tEo2i6",
    "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
    "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
}


def _filled(sample: str, key: str) -> str:
    return sample.replace("{key}", json.dumps(key))


def direct(key: str) -> str:
    """As AWS writes it: form-encoded, with "/" as it is."""
    return _filled(DIRECT, quote_plus(key, safe="/"))


def moto(key: str) -> str:
    """As moto writes it: "/" is encoded as well, and many fields are missing."""
    return _filled(MOTO, quote_plus(key))


def spaced(key: str) -> str:
    """As LocalStack writes it: a space is %20 and not +."""
    return _filled(DIRECT, quote(key))


def minio(key: str) -> str:
    return _filled(MINIO, quote_plus(key))


def ceph(key: str) -> str:
    """As Ceph writes it: not encoded."""
    return _filled(CEPH, key)


def event_bridge(key: str) -> str:
    """As EventBridge writes it: not encoded."""
    return _filled(EVENT_BRIDGE, key)


def by_sns(body: str) -> str:
    """The envelope SNS puts around a message that is not delivered raw."""
    return json.dumps({**_SNS, "Message": body})


FORMATS = (direct, moto, spaced, minio, ceph, event_bridge)
KEYS = (
    "inbox/a.json",
    "inbox/red flower.json",
    "inbox/a b+c%é.json",
    "inbox/100%.json",
    "inbox/%2B%20%%%.json",
    "inbox/a%2Fb.json",
    "inbox/딸기 케이크.json",
    "inbox/🍓👩‍🍳.json",
    'inbox/"quoted"\\.json',
    "inbox/a&b=c?d#e.json",
)
