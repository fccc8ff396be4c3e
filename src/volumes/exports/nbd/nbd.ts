import { tmpdir } from 'node:os';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { checkCapable, checkExportId, checkQos, checkSpec, checkWholeSectors, isSameQos } from '../export-rules.ts';
import type {
  ExportCapabilities,
  ExportContext,
  ExportHealth,
  ExportLoss,
  ExportQos,
  ExportSpec,
  ExportTarget,
  LiveExport,
} from '../target.ts';
import type { Daemon } from './daemon.ts';
import { decideAdd, otherExport, replaced } from '../decide-add.ts';
import type { Lane } from './lane.ts';
import { Lanes, askDaemon, familyOf, stateOf } from './lanes.ts';
import { throttleLimits } from './limits.ts';
import { type FoundExport, describe, readState } from './live.ts';
import { makeExport, resizeExport, setLimits } from './make-export.ts';
import { closeNodes, hasTraces, unpublish, verifyGone } from './nodes.ts';
import type { PortRange } from './ports.ts';
import { asProblems } from './problem.ts';
import { type Environment, findStorageDaemon } from './program.ts';
import type { QmpConnection } from './qmp/connection.ts';
import { Turns } from '../turns.ts';

const CLEANUP_TIMEOUT_MS = 5_000;
const SILENT_TIMEOUT_MS = 2_000;

export interface NbdOptions {
  /** The address to listen on; loopback by default, since plain NBD asks nobody who they are. */
  readonly host?: string;
  /** The name or address under which clients reach `host`, when that is another. */
  readonly advertisedHost?: string;
  /** From NBD's own port on by default (IANA: 10809). */
  readonly ports?: PortRange;
  /** Where daemons have their sockets and keys, in directories of mode 0700. */
  readonly runDirectory?: string;
  readonly environment?: Environment;
  readonly log?: (message: string) => void;
  /** A daemon has ended by itself; see {@link ExportLoss}. Must not throw. */
  readonly onLost?: (loss: ExportLoss) => void;
}

/** Exports by `qemu-storage-daemon`: files and RBD images, added and removed while it runs. */
class NbdTarget implements ExportTarget {
  readonly kind = 'nbd';
  readonly capabilities: ExportCapabilities = {
    qos: true,
    tls: true,
    hosts: false,
    readOnly: true,
    // QEMU refuses to resize what is exported, since the protocol has no word for it (measured with 7.2).
    resizeInUse: false,
    survivesRestart: false,
    sources: ['file', 'rbd'],
  };
  readonly #lanes: Lanes;
  readonly #turns = new Turns();
  readonly #host: string;
  readonly #environment: Environment;
  #isClosed = false;

  constructor(options: NbdOptions) {
    const host = options.host ?? '127.0.0.1';
    this.#host = options.advertisedHost ?? host;
    this.#environment = options.environment ?? process.env;
    this.#lanes = new Lanes({
      host,
      ports: options.ports ?? { first: 10_809, last: 10_908 },
      runDirectory: options.runDirectory ?? tmpdir(),
      environment: this.#environment,
      log: options.log ?? (() => undefined),
      onLost: options.onLost ?? (() => undefined),
    });
  }

  async health(signal: AbortSignal): Promise<ExportHealth> {
    this.#checkOpen(signal);
    const binary = await findStorageDaemon(this.#environment);
    const details = await Promise.all(this.#lanes.all.map((lane) => laneHealth(lane, signal)));
    const running = details.filter((detail) => detail !== null);
    return { detail: running.length === 0 ? `${binary} is started with the first export` : running.join('; ') };
  }

  add(context: ExportContext, spec: ExportSpec): Promise<LiveExport> {
    return this.#change(context, async (signal) => {
      checkSpec(spec);
      checkCapable(spec, this.capabilities);
      throttleLimits(spec.qos);
      return this.#turns.take(familyOf(spec.source), signal, async () => {
        const lane = this.#lanes.forSpec(spec);
        try {
          return await this.#addIn(lane, spec, signal);
        } catch (error) {
          await this.#releaseUnused(lane, spec.exportId);
          throw error;
        }
      });
    });
  }

  async remove(context: ExportContext, exportId: string, { force }: { readonly force: boolean }): Promise<void> {
    await this.#change(context, async (signal) => {
      checkExportId(exportId);
      const lane = await this.#laneWith(exportId, force, signal);
      if (lane === null) return this.#lanes.forget(exportId);
      await this.#turns.take(lane.family, signal, async () => {
        const daemon = await lane.current;
        if (daemon === null) return;
        const qmp = await daemon.qmp(signal);
        const { exports } = await readState(qmp, signal);
        for (const each of exports) if (each.exportId === exportId) await unpublish(qmp, each, force, signal);
        await closeNodes(qmp, exportId, signal);
        await verifyGone(qmp, exportId, signal);
        await this.#lanes.release(lane);
      });
    });
  }

  /** A forced removal must end: a daemon that does not answer is killed, and has no export then. */
  async #laneWith(exportId: string, force: boolean, signal: AbortSignal): Promise<Lane | null> {
    const find = (until: AbortSignal) => this.#lanes.find(until, (state) => hasTraces(state, exportId));
    if (!force) return find(signal);
    try {
      return await find(AbortSignal.any([signal, AbortSignal.timeout(SILENT_TIMEOUT_MS)]));
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#lanes.killSilent(signal);
      return find(signal);
    }
  }

  list({ signal }: ExportContext): Promise<readonly LiveExport[]> {
    return this.#change({ signal }, async () => {
      const lists = await Promise.all(this.#lanes.all.map((lane) => this.#listIn(lane, signal)));
      return lists.flat().sort((a, b) => Buffer.compare(Buffer.from(a.exportId), Buffer.from(b.exportId)));
    });
  }

  resize(context: ExportContext, exportId: string, sizeBytes: bigint): Promise<LiveExport> {
    return this.#changeLive(context, exportId, async ({ qmp, found, live, signal }) => {
      checkWholeSectors(sizeBytes);
      if (live.isStale) throw replaced(exportId);
      await resizeExport(qmp, { ...found, qos: live.qos }, sizeBytes, signal);
    });
  }

  setQos(context: ExportContext, exportId: string, qos: ExportQos): Promise<LiveExport> {
    return this.#changeLive(context, exportId, async ({ qmp, signal }) => {
      checkQos(qos);
      await setLimits(qmp, exportId, qos, signal);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#lanes.close();
  }

  async #addIn(lane: Lane, spec: ExportSpec, signal: AbortSignal): Promise<LiveExport> {
    for (const { exports } of await this.#lanes.elsewhere(lane, signal)) {
      // The same in all, but under another daemon: that is with another key, or with one instead of none.
      if (decideAdd(exports, spec) !== null) throw otherExport(spec.exportId, ['tls']);
    }
    // A daemon that has just died is noticed by this, and replaced by the next line.
    const state = await stateOf(lane, signal);
    const daemon = await lane.running(signal);
    const qmp = await daemon.qmp(signal);
    const exports = state?.daemon === daemon ? state.exports : [];
    if (decideAdd(exports, spec) === null) await makeExport(qmp, spec, signal);
    const live = await this.#liveIn(lane, daemon, spec.exportId, signal);
    if (live.live.isStale) throw replaced(spec.exportId);
    if (isSameQos(live.live.qos, spec.qos)) return live.live;
    await setLimits(qmp, spec.exportId, spec.qos, signal);
    return (await this.#liveIn(lane, daemon, spec.exportId, signal)).live;
  }

  /** A daemon that was started for this export alone, which did not come to be, has nothing to do. */
  async #releaseUnused(lane: Lane, exportId: string): Promise<void> {
    if (lane.tls === null) return;
    const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
    const isUsed = await this.#listIn(lane, signal).then(
      (list) => list.some((each) => each.exportId === exportId),
      () => false,
    );
    if (!isUsed) await this.#lanes.release(lane);
  }

  async #changeLive(
    context: ExportContext,
    exportId: string,
    work: (at: {
      readonly qmp: QmpConnection;
      readonly found: FoundExport;
      readonly live: LiveExport;
      readonly signal: AbortSignal;
    }) => Promise<void>,
  ): Promise<LiveExport> {
    return this.#change(context, async (signal) => {
      checkExportId(exportId);
      const lane = await this.#lanes.find(signal, ({ exports }) => exports.some((each) => each.exportId === exportId));
      if (lane === null) throw absent(exportId);
      return this.#turns.take(lane.family, signal, async () => {
        const daemon = await lane.current;
        if (daemon === null) throw absent(exportId);
        const before = await this.#liveIn(lane, daemon, exportId, signal);
        await work({ qmp: await daemon.qmp(signal), ...before, signal });
        return (await this.#liveIn(lane, daemon, exportId, signal)).live;
      });
    });
  }

  async #liveIn(
    lane: Lane,
    daemon: Daemon,
    exportId: string,
    signal: AbortSignal,
  ): Promise<{ readonly found: FoundExport; readonly live: LiveExport }> {
    const { exports } = await readState(await daemon.qmp(signal), signal);
    const found = exports.find((each) => each.exportId === exportId);
    if (found === undefined) throw absent(exportId);
    const [live] = await describe([found], daemon, this.#endpoint(lane), signal);
    if (live === undefined) throw absent(exportId);
    return { found, live };
  }

  async #listIn(lane: Lane, signal: AbortSignal): Promise<readonly LiveExport[]> {
    const state = await stateOf(lane, signal);
    if (state === null) return [];
    return describe(state.exports, state.daemon, this.#endpoint(lane), signal);
  }

  #endpoint(lane: Lane): { readonly host: string; readonly identity: string | null } {
    return { host: this.#host, identity: lane.tls?.identity ?? null };
  }

  async #change<T>({ signal }: ExportContext, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#checkOpen(signal);
    return asProblems(() => work(signal));
  }

  #checkOpen(signal: AbortSignal): void {
    if (this.#isClosed) throw new HoldfastError('unavailable', 'The NBD exports are closed.');
    if (signal.aborted) throw new HoldfastError('unavailable', 'The deadline had passed already; nothing was done.');
  }
}

function laneHealth(lane: Lane, signal: AbortSignal): Promise<string | null> {
  return askDaemon(lane, signal, async ({ pid, port }, qmp) => {
    const { qemu } = await qmp.execute('query-version', undefined, signal);
    return `qemu-storage-daemon ${qemu.major}.${qemu.minor}.${qemu.micro} (process ${pid}) on port ${port}`;
  });
}

function absent(exportId: string): HoldfastError {
  return new HoldfastError('not_found', `There is no export ${exportId}.`, { export_id: exportId });
}

/** Nothing is started before the first export. */
export function createNbdTarget(options: NbdOptions = {}): ExportTarget {
  return new NbdTarget(options);
}
