import { after, describe } from 'node:test';
import { SharedRadosgw } from './places.ts';
import { mixedRig, radosgwRig } from './rigs.ts';
import { s3Acceptance } from './suite.ts';

void describe('S3 with another S3 server behind it', () => {
  const radosgw = new SharedRadosgw();
  after(() => radosgw.stop(), { timeout: 60_000 });
  s3Acceptance('another S3 server', radosgwRig(radosgw));
  s3Acceptance('a directory, another S3 server and a WebDAV share', mixedRig(radosgw));
});
