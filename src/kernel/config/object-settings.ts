import { choice, duration, integer, list, optional, retention, size, string } from './setting.ts';

/** Settings of the object gateway: its S3 port, what keeps its objects, and the keys of their encryption. */
export const objectSettings = {
  s3Port: integer(
    { env: 'HOLDFAST_S3_PORT', flag: 's3-port', description: 'Port of the S3 endpoint; 0 picks a free one.' },
    9_000,
    0,
    65_535,
  ),
  s3Domains: list({
    env: 'HOLDFAST_S3_DOMAINS',
    flag: 's3-domains',
    description: 'Base domains under which buckets are host names (virtual-host style).',
  }),
  s3Region: string(
    { env: 'HOLDFAST_S3_REGION', flag: 's3-region', description: 'The region that S3 clients are told.' },
    'us-east-1',
  ),
  objectStorageClasses: list({
    env: 'OBJECT_STORAGE_CLASSES',
    flag: 'object-storage-classes',
    description:
      'Storage classes beside STANDARD, warmest first, each as NAME=label=value: backends with the label hold what is in it.',
  }),
  objectSecondLookMs: duration(
    {
      env: 'OBJECT_SECOND_LOOK',
      flag: 'object-second-look',
      description: 'After how long bytes of a write that nobody saw end are looked for once more.',
    },
    '10m',
  ),
  objectRetryWaitMs: duration(
    {
      env: 'OBJECT_RETRY_WAIT',
      flag: 'object-retry-wait',
      description: 'Wait before a deletion or a copy of objects that failed is tried again; it doubles each time.',
    },
    '5s',
  ),
  objectCacheBytes: size(
    {
      env: 'OBJECT_CACHE',
      flag: 'object-cache',
      description: 'Memory for small objects that are read often; 0 keeps none.',
    },
    '64MiB',
  ),
  objectRequestsMax: integer(
    {
      env: 'OBJECT_REQUESTS_MAX',
      flag: 'object-requests-max',
      description: 'Requests for objects at work at once; as many more may wait for their turn.',
    },
    512,
    1,
    2_000,
  ),
  objectRequestWaitMs: duration(
    {
      env: 'OBJECT_REQUEST_WAIT',
      flag: 'object-request-wait',
      description: 'How long a request for objects waits for its turn; then it is told to slow down.',
    },
    '5s',
  ),
  objectUserRate: integer(
    {
      env: 'OBJECT_USER_RATE',
      flag: 'object-user-rate',
      description: 'Requests for objects a second of one user in this process; 0 is without a limit.',
    },
    0,
    0,
    1_000_000,
  ),
  objectBucketRate: integer(
    {
      env: 'OBJECT_BUCKET_RATE',
      flag: 'object-bucket-rate',
      description: 'Requests a second to one bucket in this process; 0 is without a limit.',
    },
    0,
    0,
    1_000_000,
  ),
  objectUploadRetentionMs: retention(
    {
      env: 'OBJECT_UPLOAD_RETENTION',
      flag: 'object-upload-retention',
      description: 'How long a multipart upload may be without a new part before it is given up; 0 is for ever.',
    },
    '7d',
  ),
  objectScrubIntervalMs: retention(
    {
      env: 'OBJECT_SCRUB_INTERVAL',
      flag: 'object-scrub-interval',
      description: 'How often each copy is read whole; 0 is never.',
    },
    '30d',
  ),
  objectScrubBytesPerSecond: integer(
    {
      env: 'OBJECT_SCRUB_BYTES_PER_SECOND',
      flag: 'object-scrub-bytes-per-second',
      description: 'How fast copies are read for that, of each backend.',
    },
    8_388_608,
    1_024,
    1_000_000_000_000,
  ),
  objectScrubRequestsPerSecond: integer(
    {
      env: 'OBJECT_SCRUB_REQUESTS_PER_SECOND',
      flag: 'object-scrub-requests-per-second',
      description: 'How many copies are read in a second at most, of each backend.',
    },
    20,
    1,
    100_000,
  ),
  objectReconcileIntervalMs: duration(
    {
      env: 'OBJECT_RECONCILE_INTERVAL',
      flag: 'object-reconcile-interval',
      description: 'How often what backends hold is compared with the ledger.',
    },
    '24h',
  ),
  objectReconcileUnknown: choice(
    {
      env: 'OBJECT_RECONCILE_UNKNOWN',
      flag: 'object-reconcile-unknown',
      description: 'What becomes of what a backend holds and the ledger does not know.',
    },
    ['ignore', 'report', 'import', 'delete-after'],
    'report',
  ),
  objectReconcileGraceMs: retention(
    {
      env: 'OBJECT_RECONCILE_GRACE',
      flag: 'object-reconcile-grace',
      description: 'How old that must be before anything becomes of it.',
    },
    '7d',
  ),
  objectLedgerBackupIntervalMs: retention(
    {
      env: 'OBJECT_LEDGER_BACKUP_INTERVAL',
      flag: 'object-ledger-backup-interval',
      description:
        'How often what changed in the ledger of objects is put on the backends, to rebuild it from; 0 is never.',
    },
    '1h',
  ),
  encryptionKeys: list({
    env: 'ENCRYPTION_KEYS',
    flag: 'encryption-keys',
    isSecret: true,
    description: 'Root keys of objects, each as id=32 bytes as base64.',
  }),
  encryptionKeyFiles: list({
    env: 'ENCRYPTION_KEY_FILES',
    flag: 'encryption-key-files',
    description: 'Root keys of objects in files with such a key, each as id=path.',
  }),
  encryptionVaultKeys: list({
    env: 'ENCRYPTION_VAULT_KEYS',
    flag: 'encryption-vault-keys',
    description: "Root keys of objects in Vault's Transit engine, each as id=name of the key there.",
  }),
  encryptionCurrentKey: optional({
    env: 'ENCRYPTION_CURRENT_KEY',
    flag: 'encryption-current-key',
    description: 'The id of the root key under which keys are made; needed when there are several.',
  }),
  vaultAddr: optional({
    env: 'VAULT_ADDR',
    flag: 'vault-addr',
    description: 'Where Vault is, such as https://vault:8200.',
  }),
  vaultTokenFile: optional({
    env: 'VAULT_TOKEN_FILE',
    flag: 'vault-token-file',
    description: 'A file with a token for Vault; read anew for each call, so that it may be replaced.',
  }),
  vaultCaFile: optional({
    env: 'VAULT_CACERT',
    flag: 'vault-ca-file',
    description: "The certificate authority of Vault's certificate, as PEM.",
  }),
  vaultTransitMount: string(
    { env: 'VAULT_TRANSIT_MOUNT', flag: 'vault-transit-mount', description: 'Where the Transit engine is mounted.' },
    'transit',
  ),
  objectUnhealthyAfterMs: duration(
    {
      env: 'OBJECT_UNHEALTHY_AFTER',
      flag: 'object-unhealthy-after',
      description:
        'After how long the copies on a backend that does not work count as missing, and are made elsewhere.',
    },
    '10m',
  ),
  objectReadBack: choice(
    {
      env: 'OBJECT_READ_BACK',
      flag: 'object-read-back',
      description: 'Whether copies that keepers make are read again; auto: on backends that take no checksum.',
    },
    ['auto', 'always', 'never'],
    'auto',
  ),
  objectRebalancePeriodMs: duration(
    {
      env: 'OBJECT_REBALANCE_PERIOD',
      flag: 'object-rebalance-period',
      description: 'How often copies are rebalanced, once the rebalancer was resumed.',
    },
    '6h',
  ),
  objectRebalancePercent: integer(
    {
      env: 'OBJECT_REBALANCE_PERCENT',
      flag: 'object-rebalance-percent',
      description: 'Backends whose filling differs by less than this are left as they are.',
    },
    10,
    1,
    100,
  ),
} as const;
