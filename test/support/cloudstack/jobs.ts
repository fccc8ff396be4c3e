import { randomUUID } from 'node:crypto';
import { Refusal, refused, unknownId } from './refusal.ts';

/** What an asynchronous command does once it is a job. */
export interface AsyncWork {
  readonly instanceType?: 'Volume' | 'Snapshot';
  readonly instanceId?: string;
  /** Looks at the state of things when the job begins; what it throws is the job's failure. */
  check?(): void;
  /** Shows that the job is at work, and gives the way back to how it was. */
  begin?(): () => void;
  /** Acts, and gives the job's result. */
  effect(): Record<string, unknown>;
  /** What is left when the job has failed without acting. */
  failed?(): void;
}

export interface SimJob {
  readonly id: string;
  readonly command: string;
  readonly work: AsyncWork;
  readonly created: string;
  status: 0 | 1 | 2;
  resultCode: number;
  result: Record<string, unknown> | null;
  undo: (() => void) | null;
  timer: NodeJS.Timeout | null;
}

/** How a job is to go wrong. */
export type JobFault = 'job_fails' | 'job_fails_after_effect' | 'job_acts_late';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The jobs of the simulated management server. */
export class JobTable {
  readonly jobs = new Map<string, SimJob>();
  /** Effects that agents have yet to bring about although their jobs have failed. */
  readonly late: (() => void)[] = [];
  durationMs: number;
  readonly #ends = new Map<string, () => void>();

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  /** Refuses an id that is no UUID, or that a job has. By then, a create has entered its entity already. */
  checkId(id: string | undefined): string {
    if (id === undefined) return randomUUID();
    if (!uuid.test(id)) throw refused(`${id} is not a valid UUID`);
    if (this.jobs.has(id)) throw refused(`UUID ${id} already exists so can't create one`);
    return id;
  }

  start(id: string, command: string, work: AsyncWork, fault: JobFault | null): SimJob {
    const created = new Date().toISOString().replace(/\.\d+Z$/, '+0000');
    const job: SimJob = {
      id,
      command,
      work,
      created,
      status: 0,
      resultCode: 0,
      result: null,
      undo: null,
      timer: null,
    };
    this.jobs.set(id, job);
    let refusal: unknown = null;
    try {
      work.check?.();
      job.undo = work.begin?.() ?? null;
    } catch (error) {
      refusal = error;
    }
    const end = () => {
      this.#ends.delete(id);
      this.#end(job, refusal, fault);
    };
    this.#ends.set(id, end);
    job.timer = setTimeout(end, this.durationMs);
    return job;
  }

  find(id: string): SimJob {
    const job = this.jobs.get(id);
    if (job === undefined) throw unknownId('queryAsyncJobResult', 'jobid', id);
    return job;
  }

  /** The job that works on an instance now. */
  pendingOn(instanceId: string): SimJob | undefined {
    return [...this.jobs.values()].find((job) => job.status === 0 && job.work.instanceId === instanceId);
  }

  get running(): readonly SimJob[] {
    return [...this.jobs.values()].filter((job) => job.status === 0);
  }

  fail(job: SimJob, code: number, text: string): void {
    if (job.timer !== null) clearTimeout(job.timer);
    job.status = 2;
    job.resultCode = code;
    job.result = { errorcode: code, errortext: text };
  }

  /** Ends everything that is under way now, however long it was to take. */
  endAll(): void {
    for (const { id, timer } of this.running) {
      if (timer !== null) clearTimeout(timer);
      this.#ends.get(id)?.();
    }
  }

  /** Brings the late effects about. */
  actLate(): void {
    for (const act of this.late.splice(0)) act();
  }

  close(): void {
    for (const job of this.jobs.values()) if (job.timer !== null) clearTimeout(job.timer);
  }

  #end(job: SimJob, refusal: unknown, fault: JobFault | null): void {
    job.undo?.();
    try {
      if (refusal !== null) throw refusal;
      if (fault === 'job_acts_late') this.late.push(() => job.work.effect());
      if (fault === 'job_fails_after_effect') job.work.effect();
      if (fault !== null) throw new Refusal(530, failureOf(job.command));
      job.result = job.work.effect();
      job.status = 1;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (fault === null || fault === 'job_fails') job.work.failed?.();
      this.fail(job, error.code, error.message);
    }
  }
}

function failureOf(command: string): string {
  if (command === 'detachVolume') return 'Failed to detach volume data from VM i-2-3-VM';
  if (command === 'attachVolume') return 'Failed to attach volume data to VM i-2-3-VM';
  return `Failed to execute ${command}`;
}
