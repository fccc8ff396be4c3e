import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { decideAdd, replaced } from '../decide-add.ts';
import { checkCapable, checkExportId, checkQos, checkSpec } from '../export-rules.ts';
import type {
  ExportCapabilities,
  ExportContext,
  ExportHealth,
  ExportQos,
  ExportSpec,
  ExportTarget,
  LiveExport,
} from '../target.ts';
import { Turns } from '../turns.ts';
import { carryOut } from './configfs.ts';
import { connectionsAt } from './connections.ts';
import { beforeAbort } from './deadline.ts';
import { checkHostKeys } from './host-keys.ts';
import { type FoundExport, describe, findExports, namedAs } from './live-exports.ts';
import { type LiveTarget, readTarget } from './live-target.ts';
import { makeSubsystem, takeAway, tracesOf } from './make-subsystem.ts';
import { fenceSteps, revalidateSteps } from './plan.ts';
import { growDevice } from './source-device.ts';
import type { PortRange } from './subsystem.ts';

/**
 * How long hosts that are to be cut stay connected without their disk. They are told that it has gone (an asynchronous event) and
 * take it away, so that writes fail at once; who is cut before that keeps them waiting for the connection to come back,
 * ten minutes by default. The target is not told when they have done so.
 */
const NEWS_MS = 300;

export interface NvmeofOptions {
  /** The configfs of the kernel's target; `/sys/kernel/config/nvmet` by default. */
  readonly root?: string;
  /** The IP address to listen on; loopback by default. */
  readonly address?: string;
  /** The name or address under which hosts reach `address`, when that is another. */
  readonly advertisedHost?: string;
  /**
   * One for each export, from NVMe's own port on by default (IANA: 4420); the ids of the target's ports are the same. Nothing
   * else may use them.
   */
  readonly ports?: PortRange;
}

/** Exports by the kernel's own NVMe/TCP target (`nvmet`). The kernel keeps them, whatever becomes of this process. */
class NvmeofTarget implements ExportTarget {
  readonly kind = 'nvmeof';
  readonly capabilities: ExportCapabilities = {
    qos: false,
    tls: false,
    hosts: true,
    // The target opens what it serves for writing, and has no word for refusing that.
    readOnly: false,
    resizeInUse: true,
    survivesRestart: true,
    sources: ['file', 'rbd'],
  };
  readonly #root: string;
  readonly #address: string;
  readonly #advertisedHost: string | undefined;
  readonly #ports: PortRange;
  readonly #turns = new Turns();
  #isClosed = false;

  constructor(options: NvmeofOptions) {
    this.#root = options.root ?? '/sys/kernel/config/nvmet';
    this.#address = options.address ?? '127.0.0.1';
    this.#advertisedHost = options.advertisedHost;
    this.#ports = options.ports ?? { first: 4_420, last: 5_443 };
    if (isIP(this.#address) === 0) {
      throw new HoldfastError('invalid', 'NVMe exports listen on an IP address.', { field: 'address' });
    }
  }

  async health(signal: AbortSignal): Promise<ExportHealth> {
    this.#checkOpen(signal);
    const { length } = await this.#found(signal);
    const { first, last } = this.#ports;
    return { detail: `the kernel's NVMe target has ${length} exports on ${this.#address}, ports ${first} to ${last}` };
  }

  add(context: ExportContext, spec: ExportSpec): Promise<LiveExport> {
    return this.#change(context, async (signal) => {
      checkSpec(spec);
      return this.#inTurn(signal, async () => {
        const live = await readTarget(this.#root, signal);
        const same = decideAdd(await namedAs(spec.source, await findExports(live, signal)), spec);
        if (same === null) {
          checkCapable(spec, this.capabilities);
          await makeSubsystem(this.#place(), spec, live, signal);
        }
        await checkHostKeys(this.#root, spec);
        const made = await this.#describe(spec.exportId, signal);
        if (made.isStale) throw replaced(spec.exportId);
        return made;
      });
    });
  }

  remove(context: ExportContext, exportId: string, { force }: { readonly force: boolean }): Promise<void> {
    return this.#change(context, async (signal) => {
      checkExportId(exportId);
      return this.#inTurn(signal, async () => {
        const live = await readTarget(this.#root, signal);
        for (const { nqn } of tracesOf(live, exportId)) await this.#letGo(live, exportId, nqn, force, signal);
        await takeAway(this.#place(), exportId, live, signal);
      });
    });
  }

  list(context: ExportContext): Promise<readonly LiveExport[]> {
    return this.#change(context, async (signal) => {
      const found = await this.#found(signal);
      const listed = Promise.all(found.map((each) => describe(each, this.#root, this.#advertisedHost)));
      const lives = await beforeAbort(listed, signal);
      return lives.toSorted((a, b) => Buffer.compare(Buffer.from(a.exportId), Buffer.from(b.exportId)));
    });
  }

  resize(context: ExportContext, exportId: string, sizeBytes: bigint): Promise<LiveExport> {
    return this.#change(context, async (signal) => {
      checkExportId(exportId);
      return this.#inTurn(signal, async () => {
        const { nqn, devicePath, source, isClosing, isStale } = await this.#find(exportId, signal);
        if (isStale || isClosing) throw replaced(exportId);
        await growDevice(devicePath, source, sizeBytes, signal);
        // Also when it had the size: an earlier call may have come no further than that.
        await carryOut(this.#root, revalidateSteps(nqn), signal);
        return this.#describe(exportId, signal);
      });
    });
  }

  setQos(context: ExportContext, exportId: string, qos: ExportQos): Promise<LiveExport> {
    return this.#change(context, async (signal) => {
      checkExportId(exportId);
      checkQos(qos);
      const live = await this.#describe(exportId, signal);
      if (Object.values(qos).some((limit) => limit !== undefined)) {
        throw new HoldfastError('unsupported', 'The NVMe target of the kernel has no limits.', { what: 'with limits' });
      }
      return live;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** Makes sure that nobody is on it. */
  async #letGo(live: LiveTarget, exportId: string, nqn: string, force: boolean, signal: AbortSignal): Promise<void> {
    const ports = live.ports.filter(({ subsystems }) => subsystems.includes(nqn));
    const counts = await Promise.all(ports.map(({ service }) => connectionsAt(Number(service))));
    const connections = counts.reduce((sum, count) => sum + count, 0);
    if (connections === 0) return;
    if (!force) {
      const sentence = `The export ${exportId} is in use: ${connections} connections of hosts are open.`;
      throw new HoldfastError('conflict', sentence, { reason: 'in_use', export_id: exportId, connections });
    }
    await carryOut(this.#root, fenceSteps(nqn, live), signal);
    await delay(NEWS_MS);
  }

  async #find(exportId: string, signal: AbortSignal): Promise<FoundExport> {
    const found = (await this.#found(signal)).find((each) => each.exportId === exportId);
    if (found !== undefined) return found;
    throw new HoldfastError('not_found', `There is no export ${exportId}.`, { export_id: exportId });
  }

  async #describe(exportId: string, signal: AbortSignal): Promise<LiveExport> {
    return describe(await this.#find(exportId, signal), this.#root, this.#advertisedHost);
  }

  #place(): { readonly root: string; readonly address: string; readonly ports: PortRange } {
    return { root: this.#root, address: this.#address, ports: this.#ports };
  }

  #found(signal: AbortSignal): Promise<FoundExport[]> {
    const found = readTarget(this.#root, signal).then((live) => findExports(live, signal));
    return beforeAbort(found, signal);
  }

  /** One change at a time. The turn lasts as long as the work, even when nobody waits for it any more. */
  #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return beforeAbort(this.#turns.take('configfs', signal, work), signal);
  }

  async #change<T>({ signal }: ExportContext, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#checkOpen(signal);
    return work(signal);
  }

  #checkOpen(signal: AbortSignal): void {
    if (this.#isClosed) throw new HoldfastError('unavailable', 'The NVMe exports are closed.');
    if (signal.aborted) throw new HoldfastError('unavailable', 'The deadline had passed already; nothing was done.');
  }
}

/** Needs root, and the modules `nvmet` and `nvmet-tcp`. */
export function createNvmeofTarget(options: NvmeofOptions = {}): ExportTarget {
  return new NvmeofTarget(options);
}
