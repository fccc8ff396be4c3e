import { eventContract } from './kernel/events/contract.ts';
import type { Endpoint } from './kernel/http/contract.ts';
import { healthContract } from './kernel/http/health.ts';
import { keeperContract } from './kernel/keepers/contract.ts';
import { operationContract } from './kernel/operations/contract.ts';
import { volumeContract } from './volumes/contract.ts';

/** The whole API: the server, the client and the document are made of it. */
export const contract = {
  ...volumeContract,
  ...operationContract,
  ...eventContract,
  ...keeperContract,
  ...healthContract,
};

export const endpoints: readonly Endpoint[] = Object.values(contract);
