import { type CephBench, at, newVolume } from '../../src/volumes/backends/ceph/testkit.ts';
import { newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import type { ExportSpec } from '../../src/volumes/exports/target.ts';
import type { CephCluster } from '../support/ceph.ts';
import type { Guest } from '../support/guest/guest.ts';
import type { GuestProcess } from '../support/guest/processes.ts';
import { until } from '../support/wait.ts';
import { hostNqn } from './nvme-host.ts';
import type { Answer, Task, Tasks } from './nvmeof-rbd-agent.ts';

const taskFile = '/run/nvmeof-rbd-task.json';
/** A guest beside other test processes takes several times as long as alone. */
const waitMs = 90_000;

/** What was asked of the guest failed there. */
export class FailedInside extends Error {
  readonly kind: string | null;

  constructor({ kind, message }: NonNullable<Answer['error']>) {
    super(message);
    this.kind = kind;
  }
}

/** A guest that reaches a cluster of this machine, and exports its images. */
export class RbdStage {
  readonly bench: CephBench;
  readonly #guest: Guest;
  readonly #agent: GuestProcess;
  #number = 0;

  private constructor(guest: Guest, bench: CephBench, agent: GuestProcess) {
    this.bench = bench;
    this.#guest = guest;
    this.#agent = agent;
  }

  static async open(guest: Guest, bench: CephBench): Promise<RbdStage> {
    const ports = await portsOf(bench.cluster);
    const agent = guest.runNode('test/guest/nvmeof-rbd-agent.ts', [taskFile, ...ports], { timeoutMs: 600_000 });
    agent.ended.catch(() => undefined);
    return new RbdStage(guest, bench, agent);
  }

  /** A new image of 16 MiB, and the wish for an export of it. */
  async wish(): Promise<{ readonly image: string; readonly spec: ExportSpec }> {
    const { backend } = this.bench;
    const volume = newVolume();
    const { image } = await backend.create(at(), volume);
    const source = await backend.exportSource(at(), image);
    if (source === null) throw new Error('an RBD image can be exported');
    return { image, spec: newSpec(source, { volumeId: volume.volumeId, allowedHosts: [hostNqn] }) };
  }

  /** Addresses of the clients that have an image open. */
  async watchers(image: string): Promise<readonly string[]> {
    return (await this.bench.backend.inspect(at(), image))?.watchers ?? [];
  }

  /** Has the guest do something; numbers of 64 bits come back as text. Rejects with {@link FailedInside}. */
  async ask<C extends keyof Tasks>(call: C, ...args: Parameters<Tasks[C]>): Promise<Awaited<ReturnType<Tasks[C]>>> {
    const number = ++this.#number;
    const input = JSON.stringify({ number, call, args } satisfies Task);
    await this.#guest.run(`cat > ${taskFile}.new && mv ${taskFile}.new ${taskFile}`, { input });
    const { value, error } = await until(`${call} in the guest`, () => this.#answer(number), waitMs).catch(
      (cause: unknown) => {
        throw new Error(`${String(cause)}\n${this.#agent.stdout}${this.#agent.stderr}`, { cause });
      },
    );
    if (error !== undefined) throw new FailedInside(error);
    return value as Awaited<ReturnType<Tasks[C]>>;
  }

  /** Runs a tool of Ceph in the guest. */
  run(command: string): Promise<string> {
    return this.#guest.run(command, { timeoutMs: waitMs });
  }

  #answer(number: number): Answer | undefined {
    const whole = this.#agent.stdout.split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as Answer).find((answer) => answer.number === number);
  }
}

/** Where a client of the cluster connects to. */
async function portsOf({ run }: CephCluster): Promise<string[]> {
  const dumps = await Promise.all(['mon', 'osd'].map((what) => run('ceph', what, 'dump', '--format', 'json')));
  const addresses = dumps.flatMap((dump) => [...dump.matchAll(/"addr":"127\.0\.0\.1:(\d+)"/g)]);
  return [...new Set(addresses.map(([, port = '']) => port))];
}
