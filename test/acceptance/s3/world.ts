import { S3Client } from '@aws-sdk/client-s3';
import { contract } from '../../../src/contract.ts';
import type { Permission } from '../../../src/objects/access/access.ts';
import type { SigningCredentials } from '../../../src/objects/s3/signature/sign.ts';
import { until } from '../../support/wait.ts';
import type { Gateway, RunningRig } from './rig.ts';
import { type Answer, type Ask, sendTo } from './wire.ts';

const region = 'us-east-1';
const cleanup = 'object-cleanup';
const timeoutMs = 60_000;

export interface BucketWish {
  readonly isLocked?: boolean;
  readonly versioning?: 'enabled' | 'suspended';
}

export interface NamedCredentials extends SigningCredentials {
  /** The user that the key belongs to. */
  readonly user: string;
  readonly userId: string;
}

/** What cases work with: a gateway, somebody who may make buckets, and ways to ask. */
export class World {
  readonly rig: RunningRig;
  readonly owner: NamedCredentials;
  /** The AWS SDK, as the owner. */
  readonly s3: S3Client;
  readonly buckets: string[] = [];
  readonly #clients: S3Client[] = [];
  #turn = 0;
  #names = 0;

  constructor(rig: RunningRig, owner: NamedCredentials) {
    this.rig = rig;
    this.owner = owner;
    this.s3 = this.client(owner);
  }

  /** The next server, in turn. */
  get gateway(): Gateway {
    return this.rig.gateways[this.#turn++ % this.rig.gateways.length]!;
  }

  /** Sends a request as it stands; the owner signs it by default. */
  send(ask: Ask): Promise<Answer> {
    return sendTo(this.gateway.s3Url, ask, ask.as === undefined ? this.owner : ask.as);
  }

  /** A name that no other bucket has. */
  bucketName(): string {
    const name = `case-${++this.#names}`;
    this.buckets.push(name);
    return name;
  }

  /** A bucket of the case's own, made by the owner over S3. */
  async bucket({ isLocked = false, versioning }: BucketWish = {}): Promise<string> {
    const name = this.bucketName();
    const headers: Record<string, string> = isLocked ? { 'x-amz-bucket-object-lock-enabled': 'true' } : {};
    const made = await this.send({ method: 'PUT', target: `/${name}`, headers });
    if (made.status !== 200) throw new Error(`The bucket could not be made: ${made.text}`);
    const { copies } = this.rig;
    if (copies > 1 || versioning !== undefined) {
      const body = { copies, ...(versioning === undefined ? {} : { versioning }) };
      await this.rig.gateways[0]!.api.call(contract.changeBucket, { params: { bucket: name }, body });
      await this.settled(name);
    }
    return name;
  }

  /** Waits until all servers know a bucket as it stands: each remembers settings for a moment. */
  async settled(name: string): Promise<void> {
    if (this.rig.gateways.length === 1) return;
    await until(`all servers know ${name} alike`, async () => {
      const seen = this.rig.gateways.map(({ api }) => api.call(contract.getBucket, { params: { bucket: name } }));
      return new Set((await Promise.all(seen)).map(({ version }) => version)).size === 1;
    });
  }

  /** A new user with a key, allowed this much on a bucket, or on all. */
  async someone(permissions: readonly Permission[], bucket = '*'): Promise<NamedCredentials> {
    return newKey(this.rig.gateways[0]!, `user-${++this.#names}`, permissions, bucket);
  }

  /** Lets the keepers delete now what nothing refers to, and waits for it. */
  async clean(): Promise<void> {
    const { api } = this.rig.gateways[0]!;
    const runs = async () => (await api.call(contract.listKeepers)).items.find(({ name }) => name === cleanup)!.runs;
    const before = await runs();
    await api.call(contract.runKeeper, { params: { name: cleanup } });
    await until('deletions were made', async () => (await runs()) > before);
  }

  client(as: SigningCredentials): S3Client {
    const client = new S3Client({
      endpoint: this.rig.gateways[0]!.s3Url,
      region,
      forcePathStyle: true,
      maxAttempts: 1,
      requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs, throwOnRequestTimeout: true },
      credentials: { accessKeyId: as.accessKey, secretAccessKey: as.secret },
    });
    client.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { hostname: string; port?: number };
        const { hostname, port } = new URL(this.gateway.s3Url);
        Object.assign(request, { hostname, port: Number(port) });
        return next(args);
      },
      { step: 'serialize', priority: 'low', name: 'takeTurns' },
    );
    this.#clients.push(client);
    return client;
  }

  close(): void {
    for (const client of this.#clients) client.destroy();
  }
}

/** A world on a rig that runs. */
export async function openWorld(rig: RunningRig): Promise<World> {
  return new World(rig, await newKey(rig.gateways[0]!, 'owner', ['list', 'read', 'write', 'delete', 'tags'], '*'));
}

async function newKey(
  { api }: Gateway,
  label: string,
  permissions: readonly Permission[],
  bucket: string,
): Promise<NamedCredentials> {
  const key = await api.call(contract.createKey, { body: { label, bucket, permissions: [...permissions] } });
  return { accessKey: key.access_key, secret: key.secret, region, user: key.user_name, userId: key.user_id };
}
