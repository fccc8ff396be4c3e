"""What a program with boto3 does with an S3 server: `boto3-journey.py CHAPTER ENDPOINT`.

Settings are those that boto3 has by itself, as far as an endpoint that is not AWS allows. Every chapter ends with a line
that says so, or with a traceback.
"""

import hashlib
import http.client
import io
import os
import sys
import urllib.parse
import uuid
from datetime import datetime, timedelta, timezone

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

CHAPTER, ENDPOINT = sys.argv[1:]
BUCKET, VERSIONS, LOCKED = 'with-boto3', 'with-boto3-versions', 'with-boto3-lock'
ODD = "a b+c&d/ü 😀 %2F=;:@,'!()~*.txt"
MIB = 1024 * 1024
# Nothing is tried twice, so that no failure is hidden; and nothing waits for ever.
ONCE = {'retries': {'total_max_attempts': 1}, 'connect_timeout': 10, 'read_timeout': 30}
s3 = boto3.client('s3', endpoint_url=ENDPOINT, config=Config(**ONCE))


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f'{actual!r} is not {expected!r}')


def refused(code, status, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        equal((error.response['Error']['Code'], error.response['ResponseMetadata']['HTTPStatusCode']), (code, status))
        return error
    raise AssertionError(f'{code} was expected, and it succeeded')


def put(bucket, key, body, **parameters):
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **parameters)


def get(bucket, key, **parameters):
    return s3.get_object(Bucket=bucket, Key=key, **parameters)['Body'].read()


def exchange(url, method='GET', body=None, headers=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f'{parts.path}?{parts.query}', body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def fetch(url, method='GET', body=None, headers=None):
    status, _, content = exchange(url, method, body, headers)
    return status, content


def large():
    with open('large', 'rb') as file:
        return file.read()


def buckets():
    s3.create_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=VERSIONS)
    s3.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    for name in (BUCKET, VERSIONS, LOCKED):
        s3.get_waiter('bucket_exists').wait(Bucket=name, WaiterConfig={'Delay': 1, 'MaxAttempts': 5})
    names = {bucket['Name'] for bucket in s3.list_buckets()['Buckets']}
    equal({BUCKET, VERSIONS, LOCKED} <= names, True)
    equal(s3.get_bucket_location(Bucket=BUCKET)['LocationConstraint'], None)
    # In the first region, it is no error to make what is one's own already.
    s3.create_bucket(Bucket=BUCKET)


def objects():
    body = b'content under an odd key\n'
    told = {'ContentType': 'text/x', 'CacheControl': 'no-cache', 'ContentDisposition': 'inline', 'ContentLanguage': 'de'}
    etag = put(BUCKET, ODD, body, Metadata={'who': 'somebody'}, Tagging='a=b&c+d=%C3%BC', **told)['ETag']
    equal(etag, f'"{hashlib.md5(body).hexdigest()}"')
    head = s3.head_object(Bucket=BUCKET, Key=ODD)
    equal({name: head[name] for name in told}, told)
    equal((head['ContentLength'], head['ETag'], head['Metadata']), (len(body), etag, {'who': 'somebody'}))
    equal(abs(datetime.now(timezone.utc) - head['LastModified']) < timedelta(minutes=5), True)
    equal(get(BUCKET, ODD), body)
    equal(get(BUCKET, ODD, Range='bytes=8-12'), b'under')
    equal(get(BUCKET, ODD, Range='bytes=-4'), b'key\n')
    equal(get(BUCKET, ODD, IfMatch=etag), body)
    tags = s3.get_object_tagging(Bucket=BUCKET, Key=ODD)['TagSet']
    equal(sorted((tag['Key'], tag['Value']) for tag in tags), [('a', 'b'), ('c d', 'ü')])
    s3.copy_object(Bucket=BUCKET, Key='copied', CopySource={'Bucket': BUCKET, 'Key': ODD})
    equal(s3.head_object(Bucket=BUCKET, Key='copied')['Metadata'], {'who': 'somebody'})
    changed = {'Metadata': {'who': 'another'}, 'MetadataDirective': 'REPLACE', 'TaggingDirective': 'REPLACE', 'Tagging': 'x=y'}
    s3.copy_object(Bucket=BUCKET, Key='copied', CopySource={'Bucket': BUCKET, 'Key': 'copied'}, **changed)
    equal(s3.head_object(Bucket=BUCKET, Key='copied')['Metadata'], {'who': 'another'})
    equal(s3.get_object_tagging(Bucket=BUCKET, Key='copied')['TagSet'], [{'Key': 'x', 'Value': 'y'}])
    parts = s3.get_object_attributes(Bucket=BUCKET, Key=ODD, ObjectAttributes=['ETag', 'ObjectSize'])
    equal((parts['ETag'], parts['ObjectSize']), (etag.strip('"'), len(body)))
    put(BUCKET, 'empty', b'')
    equal(get(BUCKET, 'empty'), b'')
    s3.delete_object(Bucket=BUCKET, Key='empty')
    s3.get_waiter('object_not_exists').wait(Bucket=BUCKET, Key='empty', WaiterConfig={'Delay': 1, 'MaxAttempts': 5})


def large_objects():
    content = large()
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=6 * MIB, max_concurrency=4)
    s3.upload_file('large', BUCKET, 'large', ExtraArgs={'Metadata': {'who': 'somebody'}}, Config=config)
    etag = s3.head_object(Bucket=BUCKET, Key='large')['ETag']
    hashes = [hashlib.md5(content[at : at + 6 * MIB]).digest() for at in range(0, len(content), 6 * MIB)]
    equal(etag, f'"{hashlib.md5(b"".join(hashes)).hexdigest()}-{len(hashes)}"')
    s3.download_file(BUCKET, 'large', 'large.back', Config=config)
    with open('large.back', 'rb') as file:
        equal(hashlib.sha256(file.read()).digest(), hashlib.sha256(content).digest())
    equal(get(BUCKET, 'large', Range=f'bytes={6 * MIB - 5}-{6 * MIB + 4}'), content[6 * MIB - 5 : 6 * MIB + 5])
    second = s3.get_object(Bucket=BUCKET, Key='large', PartNumber=2)
    equal((second['PartsCount'], second['ContentLength']), (len(hashes), 6 * MIB))
    second['Body'].close()
    s3.copy({'Bucket': BUCKET, 'Key': 'large'}, VERSIONS, 'deep/large', Config=config)
    copied = io.BytesIO()
    s3.download_fileobj(VERSIONS, 'deep/large', copied, Config=config)
    equal(hashlib.sha256(copied.getvalue()).digest(), hashlib.sha256(content).digest())
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key='given up')['UploadId']
    given = {'Bucket': BUCKET, 'Key': 'given up', 'UploadId': upload}
    s3.upload_part(**given, PartNumber=1, Body=content[: 5 * MIB])
    copying = {'CopySource': {'Bucket': BUCKET, 'Key': 'large'}, 'CopySourceRange': f'bytes=1-{5 * MIB}'}
    part = s3.upload_part_copy(**given, PartNumber=2, **copying)['CopyPartResult']
    equal(part['ETag'], f'"{hashlib.md5(content[1 : 5 * MIB + 1]).hexdigest()}"')
    equal([part['PartNumber'] for part in s3.list_parts(**given)['Parts']], [1, 2])
    equal([one['Key'] for one in s3.list_multipart_uploads(Bucket=BUCKET)['Uploads']], ['given up'])
    s3.abort_multipart_upload(**given)
    refused('NoSuchUpload', 404, s3.list_parts, **given)
    equal('Uploads' in s3.list_multipart_uploads(Bucket=BUCKET), False)


def listings():
    keys = sorted([f'list/{name}/{number}' for name in ('a', 'b+ü', 'c d') for number in range(9)], key=str.encode)
    for key in keys:
        put(BUCKET, key, key.encode())
    for name, size in (('list_objects_v2', 4), ('list_objects', 5)):
        pages = s3.get_paginator(name).paginate(Bucket=BUCKET, Prefix='list/', PaginationConfig={'PageSize': size})
        equal([one['Key'] for page in pages for one in page['Contents']], keys)
        pages = s3.get_paginator(name).paginate(
            Bucket=BUCKET, Prefix='list/', Delimiter='/', PaginationConfig={'PageSize': 1}
        )
        found = [one['Prefix'] for page in pages for one in page.get('CommonPrefixes', [])]
        equal(found, ['list/a/', 'list/b+ü/', 'list/c d/'])
    after = s3.list_objects_v2(Bucket=BUCKET, Prefix='list/', StartAfter='list/b+ü/8', FetchOwner=True)
    equal((after['KeyCount'], after['IsTruncated'], 'Owner' in after['Contents'][0]), (9, False, True))
    found = boto3.resource('s3', endpoint_url=ENDPOINT).Bucket(BUCKET).objects.filter(Prefix='list/').page_size(10)
    equal([one.key for one in found], keys)
    deleted = s3.delete_objects(Bucket=BUCKET, Delete={'Objects': [{'Key': key} for key in keys[:20]] + [{'Key': 'none'}]})
    equal((len(deleted['Deleted']), deleted.get('Errors')), (21, None))
    found.delete()
    equal(s3.list_objects_v2(Bucket=BUCKET, Prefix='list/')['KeyCount'], 0)


def errors():
    put(BUCKET, 'there', b'there')
    refused('NoSuchKey', 404, s3.get_object, Bucket=BUCKET, Key='nothing')
    refused('404', 404, s3.head_object, Bucket=BUCKET, Key='nothing')
    refused('NoSuchBucket', 404, s3.list_objects_v2, Bucket='no-such-bucket')
    refused('NoSuchBucket', 404, s3.put_object, Bucket='no-such-bucket', Key='a', Body=b'a')
    refused('BucketNotEmpty', 409, s3.delete_bucket, Bucket=BUCKET)
    refused('InvalidRange', 416, s3.get_object, Bucket=BUCKET, Key='there', Range='bytes=5-')
    refused('PreconditionFailed', 412, s3.get_object, Bucket=BUCKET, Key='there', IfMatch='"no"')
    etag = s3.head_object(Bucket=BUCKET, Key='there')['ETag']
    refused('304', 304, s3.get_object, Bucket=BUCKET, Key='there', IfNoneMatch=etag)
    refused('NoSuchUpload', 404, s3.list_parts, Bucket=BUCKET, Key='there', UploadId='none')
    refused('NoSuchTagSet', 404, s3.get_bucket_tagging, Bucket=BUCKET)
    refused('NoSuchBucketPolicy', 404, s3.get_bucket_policy, Bucket=BUCKET)
    refused('NoSuchCORSConfiguration', 404, s3.get_bucket_cors, Bucket=BUCKET)
    refused('BadDigest', 400, s3.put_object, Bucket=BUCKET, Key='bad', Body=b'a', ContentMD5='1B2M2Y8AsgTpgAmy7PhCfg==')
    for key, code in ((os.environ['AWS_ACCESS_KEY_ID'], 'SignatureDoesNotMatch'), ('NOBODY', 'InvalidAccessKeyId')):
        other = boto3.client('s3', endpoint_url=ENDPOINT, aws_access_key_id=key, aws_secret_access_key='wrong' * 8)
        refused(code, 403, other.list_buckets)
    # This version has no parameter for it, though the server knows the header.
    condition = boto3.client('s3', endpoint_url=ENDPOINT, config=Config(**ONCE))
    condition.meta.events.register('before-call.s3.PutObject', lambda params, **_: params['headers'].update({'If-None-Match': '*'}))
    refused('PreconditionFailed', 412, condition.put_object, Bucket=BUCKET, Key='there', Body=b'again')
    condition.put_object(Bucket=BUCKET, Key='new', Body=b'new')
    equal((get(BUCKET, 'there'), get(BUCKET, 'new')), (b'there', b'new'))


def checksums():
    body = bytes(range(256)) * 4_000
    for algorithm in ('CRC32', 'CRC32C', 'SHA1', 'SHA256'):
        field, key = f'Checksum{algorithm}', f'summed/{algorithm}'
        sent = put(BUCKET, key, body, ChecksumAlgorithm=algorithm)
        told = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode='ENABLED')
        equal((sent[field], told['ContentLength'], told.get('ContentEncoding')), (told[field], len(body), None))
        # boto3 compares what it reads with what it was told.
        equal(get(BUCKET, key, ChecksumMode='ENABLED'), body)
        sent = put(BUCKET, key, io.BytesIO(body), ChecksumAlgorithm=algorithm)
        told = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode='ENABLED')
        equal((sent[field], told['ContentLength']), (told[field], len(body)))
        upload = {'Bucket': BUCKET, 'Key': f'{key}/parts'}
        upload['UploadId'] = s3.create_multipart_upload(**upload, ChecksumAlgorithm=algorithm)['UploadId']
        parts = []
        for number, part in enumerate((b'x' * 5 * MIB, body), 1):
            sent = s3.upload_part(**upload, PartNumber=number, Body=part, ChecksumAlgorithm=algorithm)
            parts.append({'PartNumber': number, 'ETag': sent['ETag'], field: sent[field]})
        done = s3.complete_multipart_upload(**upload, MultipartUpload={'Parts': parts})
        equal(done[field].endswith('-2'), True)
        wanted = ['Checksum', 'ObjectParts', 'ObjectSize']
        told = s3.get_object_attributes(Bucket=BUCKET, Key=upload['Key'], ObjectAttributes=wanted)
        equal((told['ObjectSize'], told['ObjectParts']['TotalPartsCount']), (5 * MIB + len(body), 2))
        equal(told['Checksum'][field], done[field].removesuffix('-2'))
        wrong = {field: sent[field], 'Bucket': BUCKET, 'Key': 'wrong', 'Body': b'other'}
        refused('BadDigest', 400, s3.put_object, **wrong)
    equal(s3.list_objects_v2(Bucket=BUCKET, Prefix='wrong')['KeyCount'], 0)


def presigned():
    object_of = {'Bucket': BUCKET, 'Key': f'signed/{ODD}'}
    versions = {'default': s3, 'AWS4-HMAC-SHA256': boto3.client('s3', endpoint_url=ENDPOINT, config=Config(signature_version='s3v4'))}
    for name, client in versions.items():
        text = f'by {name}'.encode()
        url = client.generate_presigned_url('put_object', Params=object_of, ExpiresIn=60)
        # By itself, this version signs addresses by Signature Version 2.
        equal(('AWSAccessKeyId=' in url, 'X-Amz-Signature=' in url), (name == 'default', name != 'default'))
        equal(fetch(url, 'PUT', text)[0], 200)
        equal(fetch(client.generate_presigned_url('get_object', Params=object_of, ExpiresIn=60)), (200, text))
        typed = client.generate_presigned_url('put_object', Params={**object_of, 'ContentType': 'text/x', 'Metadata': {'a': 'b'}})
        equal(fetch(typed, 'PUT', text, {'Content-Type': 'text/x', 'x-amz-meta-a': 'b'})[0], 200)
        equal(s3.head_object(**object_of)['Metadata'], {'a': 'b'})
        equal(fetch(typed, 'PUT', text, {'Content-Type': 'text/y', 'x-amz-meta-a': 'b'})[0], 403)
        renamed = {**object_of, 'ResponseContentType': 'text/z', 'ResponseContentDisposition': 'attachment; filename="a b"'}
        url = client.generate_presigned_url('get_object', Params=renamed)
        _, told, _ = exchange(url)
        equal((told['content-type'], told['content-disposition']), ('text/z', 'attachment; filename="a b"'))
        equal(fetch(url.replace('text%2Fz', 'text%2Fy'))[0], 403)
        equal(fetch(client.generate_presigned_url('get_object', Params=object_of, ExpiresIn=60), 'DELETE')[0], 403)
        # Of operations that a parameter chooses, this version signs a resource by the older signature that is none.
        listing = 'list_objects' if name == 'default' else 'list_objects_v2'
        status, content = fetch(client.generate_presigned_url(listing, Params={'Bucket': BUCKET, 'Prefix': 'signed/'}))
        equal((status, content.count(b'<Key>')), (200, 1))
        equal(fetch(client.generate_presigned_url('head_object', Params=object_of), 'HEAD')[0], 200)
        equal(fetch(client.generate_presigned_url('delete_object', Params=object_of), 'DELETE')[0], 204)
        equal(fetch(client.generate_presigned_url('get_object', Params=object_of))[0], 404)
        form(client, name)


def form(client, name):
    """Posts as a browser would."""
    rules = [['starts-with', '$x-amz-meta-who', 'some'], ['content-length-range', 1, 100]]
    made = client.generate_presigned_post(BUCKET, 'posted/${filename}', Conditions=rules, ExpiresIn=60)
    boundary = uuid.uuid4().hex

    def post(body):
        fields = {**made['fields'], 'x-amz-meta-who': 'somebody'}
        lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{fields[key]}\r\n' for key in fields]
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a b.txt"\r\n\r\n{body}\r\n')
        text = ''.join(lines) + f'--{boundary}--\r\n'
        return fetch(made['url'], 'POST', text.encode(), {'Content-Type': f'multipart/form-data; boundary={boundary}'})[0]

    equal(post(f'posted by {name}'), 204)
    equal(get(BUCKET, 'posted/a b.txt').decode(), f'posted by {name}')
    equal(post('long' * 100), 400)


def versions():
    s3.put_bucket_versioning(Bucket=VERSIONS, VersioningConfiguration={'Status': 'Enabled'})
    equal(s3.get_bucket_versioning(Bucket=VERSIONS)['Status'], 'Enabled')
    ids = [put(VERSIONS, 'kept', text)['VersionId'] for text in (b'one', b'two', b'three')]
    marker = s3.delete_object(Bucket=VERSIONS, Key='kept')
    equal(marker['DeleteMarker'], True)
    gone = refused('NoSuchKey', 404, s3.get_object, Bucket=VERSIONS, Key='kept')
    equal(gone.response['ResponseMetadata']['HTTPHeaders']['x-amz-delete-marker'], 'true')
    equal([get(VERSIONS, 'kept', VersionId=version) for version in ids], [b'one', b'two', b'three'])
    pages = list(s3.get_paginator('list_object_versions').paginate(Bucket=VERSIONS, Prefix='kept', PaginationConfig={'PageSize': 1}))
    equal([one['VersionId'] for page in pages for one in page.get('Versions', [])], ids[::-1])
    equal([one['VersionId'] for page in pages for one in page.get('DeleteMarkers', [])], [marker['VersionId']])
    s3.delete_object(Bucket=VERSIONS, Key='kept', VersionId=marker['VersionId'])
    equal(get(VERSIONS, 'kept'), b'three')
    s3.copy_object(Bucket=VERSIONS, Key='kept', CopySource={'Bucket': VERSIONS, 'Key': 'kept', 'VersionId': ids[0]})
    equal(get(VERSIONS, 'kept'), b'one')

    s3.put_object_tagging(Bucket=VERSIONS, Key='kept', VersionId=ids[1], Tagging={'TagSet': [{'Key': 'a b', 'Value': 'ü'}]})
    equal(s3.get_object_tagging(Bucket=VERSIONS, Key='kept', VersionId=ids[1])['TagSet'], [{'Key': 'a b', 'Value': 'ü'}])
    equal(s3.get_object(Bucket=VERSIONS, Key='kept', VersionId=ids[1])['TagCount'], 1)
    s3.delete_object_tagging(Bucket=VERSIONS, Key='kept', VersionId=ids[1])
    equal(s3.get_object_tagging(Bucket=VERSIONS, Key='kept', VersionId=ids[1])['TagSet'], [])
    locks()


def locks():
    rule = {'ObjectLockEnabled': 'Enabled', 'Rule': {'DefaultRetention': {'Mode': 'GOVERNANCE', 'Days': 1}}}
    s3.put_object_lock_configuration(Bucket=LOCKED, ObjectLockConfiguration=rule)
    equal(s3.get_object_lock_configuration(Bucket=LOCKED)['ObjectLockConfiguration'], rule)
    # What holds objects back needs a digest, which this version sends by itself.
    version = put(LOCKED, 'held', b'held')['VersionId']
    one = {'Bucket': LOCKED, 'Key': 'held', 'VersionId': version}
    equal(s3.head_object(**one)['ObjectLockMode'], 'GOVERNANCE')
    refused('AccessDenied', 403, s3.delete_object, **one)
    until = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=2)
    s3.put_object_retention(**one, Retention={'Mode': 'GOVERNANCE', 'RetainUntilDate': until})
    equal(s3.get_object_retention(**one)['Retention'], {'Mode': 'GOVERNANCE', 'RetainUntilDate': until})
    s3.put_object_legal_hold(**one, LegalHold={'Status': 'ON'})
    refused('AccessDenied', 403, s3.delete_object, **one, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(**one, LegalHold={'Status': 'OFF'})
    equal(s3.get_object_legal_hold(**one)['LegalHold']['Status'], 'OFF')
    equal(s3.delete_object(Bucket=LOCKED, Key='held')['DeleteMarker'], True)
    equal(get(LOCKED, 'held', VersionId=version), b'held')


def configuration():
    tags = [{'Key': 'team', 'Value': 'a @ ü'}]
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={'TagSet': tags})
    equal(s3.get_bucket_tagging(Bucket=BUCKET)['TagSet'], tags)
    s3.delete_bucket_tagging(Bucket=BUCKET)
    rules = [{'AllowedMethods': ['GET', 'PUT'], 'AllowedOrigins': ['https://*.example'], 'AllowedHeaders': ['*'], 'MaxAgeSeconds': 9}]
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={'CORSRules': rules})
    equal(s3.get_bucket_cors(Bucket=BUCKET)['CORSRules'], rules)
    asked = {'Origin': 'https://a.example', 'Access-Control-Request-Method': 'PUT'}
    equal(fetch(f'{ENDPOINT}/{BUCKET}/there', 'OPTIONS', None, asked)[0], 200)
    s3.delete_bucket_cors(Bucket=BUCKET)
    rules = [{'ID': 'old', 'Filter': {'Prefix': 'tmp/'}, 'Status': 'Enabled', 'Expiration': {'Days': 7}}]
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={'Rules': rules})
    equal(s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)['Rules'], rules)
    s3.delete_bucket_lifecycle(Bucket=BUCKET)
    equal(s3.get_bucket_acl(Bucket=BUCKET)['Grants'][0]['Permission'], 'FULL_CONTROL')
    # What is not there touches nothing.
    refused('NotImplemented', 501, s3.get_bucket_logging, Bucket=BUCKET)


def removal():
    resource = boto3.resource('s3', endpoint_url=ENDPOINT)
    for name in (BUCKET, VERSIONS):
        resource.Bucket(name).object_versions.delete()
    refused('BucketNotEmpty', 409, s3.delete_bucket, Bucket=LOCKED)
    for page in s3.get_paginator('list_object_versions').paginate(Bucket=LOCKED):
        for one in page.get('Versions', []) + page.get('DeleteMarkers', []):
            s3.delete_object(Bucket=LOCKED, Key=one['Key'], VersionId=one['VersionId'], BypassGovernanceRetention=True)
    for name in (BUCKET, VERSIONS, LOCKED):
        s3.delete_bucket(Bucket=name)
        s3.get_waiter('bucket_not_exists').wait(Bucket=name, WaiterConfig={'Delay': 1, 'MaxAttempts': 5})


chapters = [buckets, objects, large_objects, listings, errors, checksums, presigned, versions, configuration, removal]
{chapter.__name__.removesuffix('_objects'): chapter for chapter in chapters}[CHAPTER]()
print(f'{CHAPTER}: done')
