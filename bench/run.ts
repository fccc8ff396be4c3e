import { benchCeph } from './ceph.ts';
import { benchDevices } from './devices.ts';
import { benchExports } from './exports.ts';
import { benchHttp } from './http.ts';
import { benchListing } from './listing.ts';
import { benchObjectCost } from './objects/cost.ts';
import { benchObjectEncryption } from './objects/encryption.ts';
import { benchObjectGrowth } from './objects/growth.ts';
import { benchObjectKeepersIdle } from './objects/keepers-idle.ts';
import { benchObjectKeepers } from './objects/keepers.ts';
import { benchObjectListing } from './objects/listing.ts';
import { benchObjectMemory } from './objects/memory.ts';
import { benchObjectMigration } from './objects/migration.ts';
import { benchObjectStages } from './objects/stages.ts';
import { benchObjectThroughput } from './objects/throughput.ts';
import { benchObjectTrouble } from './objects/trouble.ts';
import { benchOperations } from './operations.ts';
import { benchReconciliation } from './reconciliation.ts';
import { benchRecovery } from './recovery.ts';
import { benchStreams } from './streams.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  operations: benchOperations,
  recovery: benchRecovery,
  http: benchHttp,
  listing: benchListing,
  streams: benchStreams,
  'object-throughput': benchObjectThroughput,
  'object-cost': benchObjectCost,
  'object-stages': benchObjectStages,
  'object-growth': benchObjectGrowth,
  'object-encryption': benchObjectEncryption,
  'object-memory': benchObjectMemory,
  'object-listing': benchObjectListing,
  'object-migration': benchObjectMigration,
  'object-trouble': benchObjectTrouble,
  'object-keepers': benchObjectKeepers,
  'object-keepers-idle': benchObjectKeepersIdle,
  exports: benchExports,
  devices: benchDevices,
  ceph: benchCeph,
  reconciliation: benchReconciliation,
};

// `npm run bench -- http listing` runs some of them; without names, all.
const names = process.argv.slice(2);
for (const name of names.length === 0 ? Object.keys(benches) : names) {
  const bench = benches[name];
  if (bench === undefined) throw new Error(`there is no bench ${name}; there are ${Object.keys(benches).join(', ')}`);
  await bench();
}
