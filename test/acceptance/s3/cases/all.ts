import type { Case } from '../case.ts';
import { accessCases } from './access.ts';
import { bodyCases } from './bodies.ts';
import { bucketCases } from './buckets.ts';
import { conditionalWriteCases } from './conditional-writes.ts';
import { configurationCases } from './configuration.ts';
import { connectionCases } from './connections.ts';
import { copyCases } from './copies.ts';
import { deleteCases } from './deletes.ts';
import { formCases } from './form.ts';
import { listingModelCases } from './listing-model.ts';
import { listingCases } from './listing.ts';
import { lockCases } from './lock.ts';
import { multipartListCases } from './multipart-lists.ts';
import { multipartCases } from './multipart.ts';
import { objectCases } from './objects.ts';
import { policyCases } from './policy.ts';
import { raceCases } from './races.ts';
import { readCases } from './reads.ts';
import { refusalCases } from './refusals.ts';
import { signatureCases } from './signatures.ts';
import { taggingCases } from './tagging.ts';
import { versioningCases } from './versioning.ts';

/** All cases but the sweeps, in the order in which they are told. */
export const cases: readonly Case[] = [
  ...bucketCases,
  ...objectCases,
  ...readCases,
  ...bodyCases,
  ...conditionalWriteCases,
  ...listingCases,
  ...listingModelCases,
  ...copyCases,
  ...deleteCases,
  ...multipartCases,
  ...multipartListCases,
  ...taggingCases,
  ...versioningCases,
  ...lockCases,
  ...configurationCases,
  ...policyCases,
  ...formCases,
  ...signatureCases,
  ...refusalCases,
  ...connectionCases,
  ...raceCases,
];

/** Those that ask for every operation alike. They come last: an operation must have cases of its own besides. */
export const sweeps: readonly Case[] = accessCases;
