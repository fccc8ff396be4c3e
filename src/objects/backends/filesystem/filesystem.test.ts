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

// What does not depend on how small blobs are read is tested at length only once.
for (const [sync, propertyRuns] of [
  ['true', 60],
  ['false', 10],
] as const) {
  const open = async (t: ConformanceSetup) => {
    const temporary = await temporaryDirectory();
    t.after(() => temporary[Symbol.asyncDispose]());
    const config = { path: temporary.path, sync_small_reads: sync };
    return { backend: filesystemKind.open({ config, secrets: {} }) };
  };
  objectBackendConformance(`filesystem (sync_small_reads ${sync})`, open, { ownNames, propertyRuns });
}
