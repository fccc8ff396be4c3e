import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { type ConformanceSetup, objectBackendConformance } from '../backend.conformance.ts';
import { filesystemKind } from './kind.ts';

const ownNames = [
  '.holdfast-objects',
  'tmp',
  'blobs',
  'x=',
  'x,',
  'x+',
  '=',
  ',',
  '+',
  '%2F=',
  '%2f',
  'abcdef',
  'abcdefghij',
];

for (const sync of ['true', 'false']) {
  const open = async (t: ConformanceSetup) => {
    const temporary = await temporaryDirectory();
    t.after(() => temporary[Symbol.asyncDispose]());
    const config = { path: temporary.path, sync_small_reads: sync };
    return { backend: filesystemKind.open({ config, secrets: {} }) };
  };
  objectBackendConformance(`filesystem (sync_small_reads ${sync})`, open, { ownNames });
}
