import { objectSettings } from './object-settings.ts';
import { choice, decimal, duration, integer, list, optional, retention, string } from './setting.ts';

/** Every setting of the server: one table for environment, flags, file and documentation. */
export const settings = {
  host: string({ env: 'HOLDFAST_HOST', flag: 'host', description: 'Address to listen on.' }, '127.0.0.1'),
  port: integer(
    { env: 'HOLDFAST_PORT', flag: 'port', description: 'Port to listen on; 0 picks a free one.' },
    8080,
    0,
    65_535,
  ),
  dataDir: string(
    { env: 'HOLDFAST_DATA_DIR', flag: 'data-dir', description: 'Where the embedded store and files live.' },
    './data',
  ),
  databaseUrl: optional({
    env: 'DATABASE_URL',
    flag: 'database-url',
    isSecret: true,
    description: 'A postgres:// URL; without it the store is embedded in the data directory.',
  }),
  databaseTimeoutMs: duration(
    { env: 'DATABASE_TIMEOUT', flag: 'database-timeout', description: 'Deadline of one transaction.' },
    '5s',
  ),
  secretKey: optional({
    env: 'HOLDFAST_SECRET_KEY',
    flag: 'secret-key',
    isSecret: true,
    description: 'The key that seals secrets in the store: 32 bytes as base64.',
  }),
  secretKeyFile: optional({
    env: 'HOLDFAST_SECRET_KEY_FILE',
    flag: 'secret-key-file',
    description: 'A file with that key; by default secret.key in the data directory, made at the first start.',
  }),

  ...objectSettings,
  notificationRetryWaitMs: duration(
    {
      env: 'NOTIFICATION_RETRY_WAIT',
      flag: 'notification-retry-wait',
      description: 'Wait before a notification that failed is tried again; it doubles each time, up to an hour.',
    },
    '5s',
  ),
  notificationAttemptsMax: integer(
    {
      env: 'NOTIFICATION_MAX_ATTEMPTS',
      flag: 'notification-max-attempts',
      description: 'Attempts before a notification is a dead letter.',
    },
    16,
    1,
    1_000,
  ),
  storageBackend: choice(
    { env: 'STORAGE_BACKEND', flag: 'storage-backend', description: 'Where volumes are made by default.' },
    ['memory', 'file', 'ceph', 'cloudstack'],
    'file',
  ),
  fileDirectory: optional({
    env: 'FILE_DIRECTORY',
    flag: 'file-directory',
    description: 'Where the file backend keeps images; by default in the data directory.',
  }),
  cephConf: optional({ env: 'CEPH_CONF', flag: 'ceph-conf', description: "The cluster's ceph.conf." }),
  cephMonitors: list({
    env: 'CEPH_MONITORS',
    flag: 'ceph-monitors',
    description: 'Monitor addresses, all of which are used.',
  }),
  cephPool: string({ env: 'CEPH_POOL', flag: 'ceph-pool', description: 'The RBD pool.' }, 'rbd'),
  cephKeyring: optional({ env: 'CEPH_KEYRING', flag: 'ceph-keyring', description: 'The keyring file.' }),
  cephUser: string(
    { env: 'CEPH_USER', flag: 'ceph-user', description: 'The Ceph user, with or without "client.".' },
    'admin',
  ),
  cloudstackApiUrl: optional({
    env: 'CLOUDSTACK_API_URL',
    flag: 'cloudstack-api-url',
    description: "CloudStack's API, such as https://cloud.example/client/api.",
  }),
  cloudstackApiKey: optional({
    env: 'CLOUDSTACK_API_KEY',
    flag: 'cloudstack-api-key',
    isSecret: true,
    description: 'The API key of the CloudStack account that owns the volumes.',
  }),
  cloudstackSecretKey: optional({
    env: 'CLOUDSTACK_SECRET_KEY',
    flag: 'cloudstack-secret-key',
    isSecret: true,
    description: 'The secret key that belongs to it.',
  }),
  cloudstackZoneId: optional({
    env: 'CLOUDSTACK_ZONE_ID',
    flag: 'cloudstack-zone-id',
    description: 'The zone in which volumes are made.',
  }),
  cloudstackDiskOfferingId: optional({
    env: 'CLOUDSTACK_DISK_OFFERING_ID',
    flag: 'cloudstack-disk-offering-id',
    description: 'The disk offering of new volumes; one of custom size.',
  }),
  cloudstackPollIntervalMs: duration(
    {
      env: 'CLOUDSTACK_POLL_INTERVAL',
      flag: 'cloudstack-poll-interval',
      description: 'How soon a job of CloudStack is looked at; later looks are up to five times as far apart.',
    },
    '1s',
  ),
  backendTimeoutMs: duration(
    { env: 'BACKEND_TIMEOUT', flag: 'backend-timeout', description: 'Deadline of one call to a backend.' },
    '30s',
  ),

  nodeId: optional({
    env: 'HOLDFAST_NODE_ID',
    flag: 'node-id',
    description: "The name of this machine as a host; by default the machine's own name.",
  }),
  agent: choice(
    { env: 'HOLDFAST_AGENT', flag: 'agent', description: 'Whether the server is the agent of its own machine too.' },
    ['on', 'off'],
    'on',
  ),
  hostDeadAfterMs: duration(
    {
      env: 'HOST_DEAD_AFTER',
      flag: 'host-dead-after',
      description: 'How long a host may be silent before nothing waits for it; after a quarter of it, it is slow.',
    },
    '60s',
  ),
  exportAddress: string(
    {
      env: 'EXPORT_ADDRESS',
      flag: 'export-address',
      description: 'Address on which exports of volumes listen; plain NBD asks nobody who they are.',
    },
    '127.0.0.1',
  ),
  exportAdvertise: optional({
    env: 'EXPORT_ADVERTISE',
    flag: 'export-advertise',
    description: 'The name or address under which clients reach exports, when it is another one.',
  }),
  exportPortFirst: integer(
    {
      env: 'EXPORT_PORT_FIRST',
      flag: 'export-port-first',
      description: 'The first of the hundred ports of NBD exports.',
    },
    10_809,
    1_024,
    65_400,
  ),
  devicePollIntervalMs: duration(
    {
      env: 'DEVICE_POLL_INTERVAL',
      flag: 'device-poll-interval',
      description: "How often the kernel's devices are read.",
    },
    '2s',
  ),

  volumeRetryMaxAttempts: integer(
    {
      env: 'VOLUME_RETRY_MAX_ATTEMPTS',
      flag: 'volume-retry-max-attempts',
      description: 'Attempts before a volume is in error.',
    },
    3,
    1,
    1_000,
  ),
  volumeRetryInitialWaitMs: duration(
    {
      env: 'VOLUME_RETRY_INITIAL_WAIT',
      flag: 'volume-retry-initial-wait',
      description: 'Wait before the second attempt.',
    },
    '500ms',
  ),
  volumeRetryMultiplier: decimal(
    { env: 'VOLUME_RETRY_MULTIPLIER', flag: 'volume-retry-multiplier', description: 'Growth of the wait.' },
    2,
    1,
    100,
  ),
  volumeRetryMaxWaitMs: duration(
    { env: 'VOLUME_RETRY_MAX_WAIT', flag: 'volume-retry-max-wait', description: 'Longest wait between attempts.' },
    '10s',
  ),
  reconcileDbOnly: choice(
    {
      env: 'RECONCILE_DB_ONLY',
      flag: 'reconcile-db-only',
      description: 'What becomes of a volume whose backend has no image.',
    },
    ['error', 'delete', 'ignore'],
    'error',
  ),
  reconcileBackendOnly: choice(
    {
      env: 'RECONCILE_BACKEND_ONLY',
      formerEnv: ['RECONCILE_CEPH_ONLY'],
      flag: 'reconcile-backend-only',
      description: 'What becomes of an image that no volume knows.',
    },
    ['ignore', 'import'],
    'ignore',
  ),
  reconcileIntervalMs: duration(
    {
      env: 'RECONCILE_INTERVAL',
      flag: 'reconcile-interval',
      description: 'How often volumes and backends are compared.',
    },
    '5m',
  ),
  volumeTrashRetentionMs: retention(
    {
      env: 'VOLUME_TRASH_RETENTION',
      flag: 'volume-trash-retention',
      description: 'How long deleted volumes can be restored; 0 is not at all.',
    },
    '24h',
  ),

  operationsMaxRunning: integer(
    {
      env: 'OPERATIONS_MAX_RUNNING',
      flag: 'operations-max-running',
      description: 'Steps that run at once in this process.',
    },
    64,
    1,
    10_000,
  ),
  operationsMaxHeld: integer(
    {
      env: 'OPERATIONS_MAX_HELD',
      flag: 'operations-max-held',
      description: 'Operations under way in this process; past it new ones get 429.',
    },
    20_000,
    1,
    1_000_000,
  ),
  operationsRetentionMs: retention(
    {
      env: 'OPERATIONS_RETENTION',
      flag: 'operations-retention',
      description: 'How long finished operations are kept.',
    },
    '30d',
  ),
  eventsRetentionMs: retention(
    { env: 'EVENTS_RETENTION', flag: 'events-retention', description: 'How long events are kept.' },
    '90d',
  ),
  leaseTtlMs: duration(
    { env: 'LEASE_TTL', flag: 'lease-ttl', description: 'How long a silent replica counts as alive.' },
    '8s',
  ),

  healthTimeoutMs: duration(
    { env: 'HEALTH_TIMEOUT', flag: 'health-timeout', description: 'Deadline of a health check.' },
    '3s',
  ),
  shutdownTimeoutMs: duration(
    { env: 'SHUTDOWN_TIMEOUT', flag: 'shutdown-timeout', description: 'How long a stop may take.' },
    '10s',
  ),
  sseHeartbeatMs: duration(
    { env: 'SSE_HEARTBEAT', flag: 'sse-heartbeat', description: 'How often an idle stream says that it lives.' },
    '15s',
  ),
  logLevel: choice(
    { env: 'LOG_LEVEL', flag: 'log-level', description: 'The least important log line that is written.' },
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'info',
  ),
  logFormat: choice(
    { env: 'LOG_FORMAT', flag: 'log-format', description: 'How log lines are written.' },
    ['json'],
    'json',
  ),
  otelExporter: choice(
    { env: 'OTEL_EXPORTER', flag: 'otel-exporter', description: 'Where traces go.' },
    ['none', 'stdout', 'otlp'],
    'none',
  ),
  otelEndpoint: string(
    { env: 'OTEL_EXPORTER_OTLP_ENDPOINT', flag: 'otel-endpoint', description: 'The OTLP/HTTP collector.' },
    'http://127.0.0.1:4318',
  ),
} as const;

export type SettingKey = keyof typeof settings;
export type Values = { readonly [K in SettingKey]: ReturnType<(typeof settings)[K]['parse']> };

/** Environment names with our prefix that are not settings of the server. */
export const otherEnvironment = ['HOLDFAST_CONFIG', 'HOLDFAST_URL', 'HOLDFAST_TOKEN', 'HOLDFAST_REQUIRE_REAL'];
