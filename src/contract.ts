import { eventContract } from './kernel/events/contract.ts';
import type { Endpoint } from './kernel/http/contract.ts';
import { healthContract } from './kernel/http/health.ts';
import { keeperContract } from './kernel/keepers/contract.ts';
import { operationContract } from './kernel/operations/contract.ts';
import { notificationContract } from './notifications/contract.ts';
import { accessContract } from './objects/access/contract.ts';
import { bucketContract, gatewayContract, objectContract } from './objects/api/contract.ts';
import { encryptionContract } from './objects/api/encryption-contract.ts';
import { objectBackendContract } from './objects/backends/contract.ts';
import { quotaContract } from './objects/quotas/contract.ts';
import { rebuildContract } from './objects/rebuilding/contract.ts';
import { storageMigrationContract } from './objects/storage-migration/contract.ts';
import { deviceContract } from './volumes/device-contract.ts';
import { exportContract } from './volumes/export-contract.ts';
import { hostContract } from './hosts/contract.ts';
import { volumeContract } from './volumes/contract.ts';
import { statusContract } from './volumes/status/contract.ts';

/** The whole API: the server, the client and the document are made of it. */
export const contract = {
  ...volumeContract,
  ...exportContract,
  ...deviceContract,
  ...hostContract,
  ...bucketContract,
  ...objectContract,
  ...objectBackendContract,
  ...storageMigrationContract,
  ...quotaContract,
  ...accessContract,
  ...gatewayContract,
  ...rebuildContract,
  ...notificationContract,
  ...encryptionContract,
  ...operationContract,
  ...eventContract,
  ...keeperContract,
  ...healthContract,
  ...statusContract,
};

export const endpoints: readonly Endpoint[] = Object.values(contract);
