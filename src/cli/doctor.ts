import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import type { Config } from '../kernel/config/config.ts';
import { formatSize } from '../kernel/config/size.ts';
import { openMigrator } from '../kernel/store/open.ts';
import { findRclone } from '../objects/backends/rclone/program.ts';
import { probeLibrbd } from '../volumes/backends/ceph/probe.ts';
import { cloudStackMaker } from '../volumes/backends/cloudstack/configured.ts';
import { type Output, coloured, json, table } from './output.ts';
import { storeSettings } from './store.ts';

interface Finding {
  readonly part: string;
  readonly status: 'ok' | 'warning' | 'error';
  readonly detail: string;
}

const nodeMajorMin = 24;
const freeBytesMin = 1024n ** 3n;

/** Checks this machine for what the configuration needs; gives whether the server could run. */
export async function doctor(config: Config, output: Output, isJson: boolean): Promise<boolean> {
  const { host, port, s3Port } = config.values;
  const parts = await Promise.all([
    node(),
    store(config),
    disk(config),
    freePort('port', host, port),
    freePort('s3 port', host, s3Port),
    librbd(config),
    rclone(),
    cloudstack(config),
  ]);
  const findings = parts.filter((finding) => finding !== null);
  if (isJson) output.line(json(findings));
  else {
    const rows = findings.map(({ part, status, detail }) => [
      part,
      status === 'warning' ? status : coloured(status),
      detail,
    ]);
    for (const line of table(['PART', 'STATUS', 'DETAIL'], rows)) output.line(line);
  }
  return findings.every(({ status }) => status !== 'error');
}

async function node(): Promise<Finding> {
  const major = Number(process.versions.node.split('.')[0]);
  const detail = `Node ${process.versions.node}`;
  if (major >= nodeMajorMin) return { part: 'node', status: 'ok', detail };
  return {
    part: 'node',
    status: 'error',
    detail: `${detail}; ${nodeMajorMin} is needed: "npm ci" brings it as a package`,
  };
}

async function store(config: Config): Promise<Finding> {
  try {
    const migrator = await openMigrator(storeSettings(config));
    const missing = (await migrator.status()).filter(({ appliedAt }) => appliedAt === null);
    await migrator.close();
    const detail =
      missing.length === 0
        ? 'reachable, schema up to date'
        : `reachable, ${missing.length} ${missing.length === 1 ? 'migration' : 'migrations'} will be applied at start`;
    return { part: 'store', status: 'ok', detail };
  } catch (error) {
    return { part: 'store', status: 'error', detail: messageOf(error) };
  }
}

async function disk({ values }: Config): Promise<Finding> {
  try {
    await mkdir(values.dataDir, { recursive: true });
    await access(values.dataDir, constants.W_OK);
    const { bavail, bsize } = await statfs(values.dataDir);
    const free = BigInt(bavail) * BigInt(bsize);
    const detail = `${formatSize(free)} free in ${values.dataDir}`;
    return { part: 'disk', status: free < freeBytesMin ? 'warning' : 'ok', detail };
  } catch (error) {
    return { part: 'disk', status: 'error', detail: `${dirname(values.dataDir)}: ${messageOf(error)}` };
  }
}

async function freePort(part: string, host: string, port: number): Promise<Finding> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    return { part, status: 'ok', detail: port === 0 ? 'a free one is taken' : `${host}:${port} is free` };
  } catch (error) {
    // A running server of ours is the usual reason, so it is no fault by itself.
    return { part, status: 'warning', detail: `${host}:${port}: ${messageOf(error)}` };
  } finally {
    server.close();
  }
}

async function librbd({ values }: Config): Promise<Finding> {
  const found = await probeLibrbd();
  if (found.ok)
    return { part: 'librbd', status: 'ok', detail: 'librbd and librados are here: the ceph backend can be used' };
  const isNeeded = values.storageBackend === 'ceph';
  return { part: 'librbd', status: isNeeded ? 'error' : 'warning', detail: found.message };
}

async function rclone(): Promise<Finding> {
  try {
    const path = await findRclone(process.env);
    return { part: 'rclone', status: 'ok', detail: `${path} is here: backends of the kind rclone can be used` };
  } catch (error) {
    return { part: 'rclone', status: 'warning', detail: messageOf(error) };
  }
}

/** Only of interest where it is used. */
async function cloudstack({ values }: Config): Promise<Finding | null> {
  const { storageBackend, cloudstackApiUrl, healthTimeoutMs } = values;
  if (storageBackend !== 'cloudstack' && cloudstackApiUrl === undefined) return null;
  const status = storageBackend === 'cloudstack' ? 'error' : 'warning';
  const maker = cloudStackMaker(values);
  if (typeof maker !== 'function') return { part: 'cloudstack', status, detail: maker.missing };
  try {
    const { detail } = await maker().health(AbortSignal.timeout(healthTimeoutMs));
    return { part: 'cloudstack', status: 'ok', detail };
  } catch (error) {
    return { part: 'cloudstack', status, detail: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
