import { rcloneMissing } from '../../../../test/support/rclone.ts';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { objectBackendConformance } from '../backend.conformance.ts';
import type { ObjectBackend } from '../backend.ts';
import { rcloneKind } from './rclone.ts';

const skip = process.env['HOLDFAST_REQUIRE_REAL'] === '1' ? false : (rcloneMissing() ?? false);
const ownNames = ['blobs', 'uploads', '_b', '_d', 'x_m', '_2f', 'a_b', 'a_d', 'data/ab'];

function open(config: Record<string, string>, secrets: Record<string, string> = {}): ObjectBackend {
  return rcloneKind.open(rcloneKind.validate({ config, secrets }));
}

objectBackendConformance(
  'rclone with a local remote',
  async (t) => {
    const directory = await temporaryDirectory();
    t.after(async () => directory[Symbol.asyncDispose]());
    return { backend: open({ remote_type: 'local', remote_path: directory.path }) };
  },
  { skip, ownNames },
);

objectBackendConformance(
  'rclone with a remote of buckets (memory)',
  // This rclone lists nothing below a path inside of a bucket of its memory, so the path is the bucket.
  () => Promise.resolve({ backend: open({ remote_type: 'memory', remote_path: 'bucket' }) }),
  { skip, ownNames, propertyRuns: 20 },
);
