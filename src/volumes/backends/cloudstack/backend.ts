import { HoldfastError, toErrorData } from '../../../kernel/errors/errors.ts';
import type {
  BackendCapabilities,
  BackendContext,
  BackendHealth,
  CreateImage,
  Detachment,
  FencedContext,
  ImageAttachment,
  ImageFacts,
  SnapshotFacts,
  VolumeBackend,
} from '../backend.ts';
import { KeyQueue } from '../../../kernel/concurrency/key-queue.ts';
import { passed, refusePassed, refuseUnknownParameters, refuseWrongLimit } from '../image-rules.ts';
import { attach, detach, refuseRunning } from './attach.ts';
import { CloudStackClient, type ClientOptions } from './client.ts';
import { adopt, create, noQos, resize } from './create.ts';
import { type Polling, Jobs, pollingDefault } from './jobs.ts';
import { objectsIn, textIn } from './json.ts';
import { toFacts } from './naming.ts';
import { createParameters } from './placing.ts';
import type { Session } from './session.ts';
import { createSnapshot, deleteSnapshot, listSnapshots, revert } from './snapshots.ts';
import { purge, restore, trash } from './trash.ts';
import { Volumes } from './volumes.ts';

export interface CloudStackOptions extends ClientOptions {
  /** The name under which volumes refer to this backend. */
  readonly name: string;
  readonly zoneId: string;
  /** The offering of new volumes; it must be one of custom size. */
  readonly diskOfferingId: string;
  readonly polling?: Polling;
}

/**
 * Volumes of one zone of CloudStack, and those that Holdfast made in others, by its API alone. An image is a volume of that
 * name, `nodeId` of an attachment is a VM's id, and sizes are whole GiB. The laws of the port hold; see `tags.ts` for what is
 * kept with a volume, and
 * `naming.ts` for volumes of equal names.
 */
export function createCloudStackBackend(options: CloudStackOptions): VolumeBackend {
  const client = new CloudStackClient(options);
  const { name, zoneId, diskOfferingId, polling = pollingDefault } = options;
  const volumes = new Volumes(client, zoneId);
  return new Backend(name, { client, jobs: new Jobs(client, polling), volumes, zoneId, diskOfferingId });
}

class Backend implements VolumeBackend {
  readonly name: string;
  readonly capabilities: BackendCapabilities = {
    snapshots: true,
    clone: true,
    qos: false,
    trash: true,
    watchers: false,
    fence: false,
    durable: true,
    rootAttach: true,
    details: true,
  };
  readonly createParameters = createParameters;
  readonly #session: Session;
  readonly #changes = new KeyQueue();

  constructor(name: string, session: Session) {
    this.name = name;
    this.#session = session;
  }

  async health(signal: AbortSignal): Promise<BackendHealth> {
    refusePassed(signal, 'health');
    const { client, zoneId, diskOfferingId } = this.#session;
    const [zone] = objectsIn(await this.#ask('listZones', { id: zoneId }, signal), 'zone');
    if (zone === undefined) throw unusable(`CloudStack at ${client.host} has no zone ${zoneId}`);
    const answer = await this.#ask('listDiskOfferings', { id: diskOfferingId }, signal);
    const [offering] = objectsIn(answer, 'diskoffering');
    if (offering === undefined) throw unusable(`CloudStack at ${client.host} has no disk offering ${diskOfferingId}`);
    if (textIn(offering, 'iscustomized') !== 'true') {
      throw unusable(`The disk offering ${diskOfferingId} has a fixed size; Holdfast needs one of custom size`);
    }
    return { detail: `CloudStack at ${client.host} answers, zone ${textIn(zone, 'name') ?? zoneId}` };
  }

  async create(context: FencedContext, params: CreateImage): Promise<ImageFacts> {
    refuseUnknownParameters(this, params.parameters);
    return await this.#change('create', context, params.image, () => create(this.#session, context, params));
  }

  async inspect({ signal }: BackendContext, image: string): Promise<ImageFacts | null> {
    refusePassed(signal, 'inspect');
    const row = await this.#session.volumes.find(image, signal);
    return row === null ? null : toFacts(image, row);
  }

  async list(
    { signal }: BackendContext,
    { after, limit }: { readonly after?: string; readonly limit: number },
  ): Promise<readonly ImageFacts[]> {
    refusePassed(signal, 'list');
    refuseWrongLimit(limit);
    return await this.#session.volumes.list(after, limit, signal);
  }

  resize(context: FencedContext, image: string, sizeBytes: bigint): Promise<ImageFacts> {
    return this.#change('resize', context, image, () => resize(this.#session, context, image, sizeBytes));
  }

  createSnapshot(context: FencedContext, image: string, snapshot: string): Promise<SnapshotFacts> {
    return this.#change('createSnapshot', context, image, () =>
      createSnapshot(this.#session, context, image, snapshot),
    );
  }

  async listSnapshots({ signal }: BackendContext, image: string): Promise<readonly SnapshotFacts[]> {
    refusePassed(signal, 'listSnapshots');
    return await listSnapshots(this.#session, image, signal);
  }

  deleteSnapshot(context: FencedContext, image: string, snapshot: string): Promise<void> {
    return this.#change('deleteSnapshot', context, image, () =>
      deleteSnapshot(this.#session, context, image, snapshot),
    );
  }

  revert(context: FencedContext, image: string, snapshot: string): Promise<ImageFacts> {
    return this.#change('revert', context, image, () => revert(this.#session, context, image, snapshot));
  }

  attach(context: FencedContext, image: string, attachment: ImageAttachment): Promise<ImageFacts> {
    return this.#change('attach', context, image, () => attach(this.#session, context, image, attachment));
  }

  async checkRootAttach({ signal }: BackendContext, nodeId: string): Promise<void> {
    refusePassed(signal, 'checkRootAttach');
    await refuseRunning(this.#session, nodeId, signal);
  }

  detach(context: FencedContext, image: string, attachment: Detachment): Promise<void> {
    return this.#change('detach', context, image, () => detach(this.#session, context, image, attachment));
  }

  exportSource(): Promise<null> {
    return Promise.resolve(null);
  }

  setQos(): Promise<void> {
    return Promise.reject(noQos());
  }

  trash(context: FencedContext, image: string): Promise<void> {
    return this.#change('trash', context, image, () => trash(this.#session, context, image));
  }

  restore(context: FencedContext, image: string): Promise<ImageFacts> {
    return this.#change('restore', context, image, () => restore(this.#session, context, image));
  }

  purge(context: FencedContext, image: string): Promise<void> {
    return this.#change('purge', context, image, () => purge(this.#session, context, image));
  }

  adopt(context: FencedContext, image: string, tag: { readonly volumeId: string; readonly name: string }) {
    return this.#change('adopt', context, image, () => adopt(this.#session, context, image, tag));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #change<T>(verb: string, { signal }: FencedContext, image: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#changes.run(image, work, signal);
    } catch (error) {
      throw error === signal.reason ? passed(verb) : error;
    }
  }

  async #ask(command: string, parameters: Readonly<Record<string, string>>, signal: AbortSignal) {
    try {
      return await this.#session.client.call(command, parameters, signal);
    } catch (error) {
      const { kind, message, details } = toErrorData(error);
      if (kind === 'unavailable' || kind === 'internal') throw error;
      throw new HoldfastError('unavailable', message, details ?? {}, error);
    }
  }
}

function unusable(reason: string): HoldfastError {
  return new HoldfastError('unavailable', `${reason}.`);
}
