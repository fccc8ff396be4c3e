import { benchHttp } from './http.ts';
import { benchListing } from './listing.ts';
import { benchOperations } from './operations.ts';
import { benchRecovery } from './recovery.ts';
import { benchStreams } from './streams.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  operations: benchOperations,
  recovery: benchRecovery,
  http: benchHttp,
  listing: benchListing,
  streams: benchStreams,
};

// `npm run bench -- http listing` runs some of them; without names, all.
const names = process.argv.slice(2);
for (const name of names.length === 0 ? Object.keys(benches) : names) {
  const bench = benches[name];
  if (bench === undefined) throw new Error(`there is no bench ${name}; there are ${Object.keys(benches).join(', ')}`);
  await bench();
}
