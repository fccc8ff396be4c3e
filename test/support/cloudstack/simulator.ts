import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Cloud, Command } from './commands.ts';
import { type JobFault, JobTable } from './jobs.ts';
import { snapshotCommands, tagCommands } from './other-commands.ts';
import { readCommands } from './read-commands.ts';
import { Refusal } from './refusal.ts';
import { verifyRequest } from './signature.ts';
import { volumeCommands } from './volume-commands.ts';
import { World } from './world.ts';

const commands: Readonly<Record<string, Command>> = {
  ...readCommands,
  ...volumeCommands,
  ...snapshotCommands,
  ...tagCommands,
};

/**
 * What goes wrong with the next requests of a command.
 * - `drop_before`: the connection ends, nothing was done. `drop_after`: it was done, and the answer is lost.
 * - `arrives_twice`: a network delivers the request twice; the second answer is lost.
 * - `bad_gateway`: a proxy answers with a page of HTML.
 * - `job_…`: see {@link JobFault}.
 */
export type Effect = JobFault | 'drop_before' | 'drop_after' | 'arrives_twice' | 'bad_gateway';

export interface Fault {
  readonly command: string;
  readonly effect: Effect;
  times: number;
}

export interface SimulatorOptions {
  readonly jobDurationMs?: number;
}

/** CloudStack's API over HTTP on the loopback, with a world of its own. */
export class CloudStackSimulator implements Cloud {
  readonly apiKey = 'simulated-api-key';
  readonly secretKey = 'simulated-secret-key';
  readonly world = new World();
  readonly jobs: JobTable;
  readonly faults: Fault[] = [];
  /** The commands that arrived, without questions for jobs. */
  readonly arrived: string[] = [];
  readonly #server: Server;

  private constructor(options: SimulatorOptions) {
    this.jobs = new JobTable(options.jobDurationMs ?? 2);
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        console.error('the simulated CloudStack failed', error);
        response.destroy();
      });
    });
  }

  static async start(options: SimulatorOptions = {}): Promise<CloudStackSimulator> {
    const simulator = new CloudStackSimulator(options);
    simulator.#server.listen(0, '127.0.0.1');
    await once(simulator.#server, 'listening');
    return simulator;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/client/api`;
  }

  fail(command: string, effect: Effect, times = 1): void {
    this.faults.push({ command, effect, times });
  }

  count(command: string): number {
    return this.arrived.filter((each) => each === command).length;
  }

  /**
   * Restarts the management server: connections end. Jobs under way go on (`survive`), are failed without having acted
   * (`fail`, what a server does with those of its former life), or are gone from the table, having acted or not.
   */
  restart(jobs: 'survive' | 'fail' | 'vanish' | 'vanish_after_effect'): void {
    this.#server.closeAllConnections();
    if (jobs === 'survive') return;
    for (const job of this.jobs.running) {
      const { work } = job;
      this.jobs.fail(job, 530, 'job cancelled because of management server restart or shutdown');
      // What the job has shown on a volume is put back; what it has entered stays as it is.
      if (work.instanceType === 'Volume' || jobs === 'vanish_after_effect') job.undo?.();
      if (jobs === 'vanish_after_effect') work.effect();
      if (jobs !== 'fail') this.jobs.jobs.delete(job.id);
    }
  }

  /** Forgets jobs that have ended, as CloudStack does after a day. */
  expireJobs(): void {
    for (const { id, status } of this.jobs.jobs.values()) if (status !== 0) this.jobs.jobs.delete(id);
  }

  async stop(): Promise<void> {
    this.jobs.close();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = request.method === 'POST' ? await text(request) : (request.url ?? '').split('?')[1];
    const parameters = new Map(new URLSearchParams(body));
    const command = parameters.get('command') ?? '';
    if (command !== 'queryAsyncJobResult') this.arrived.push(command);
    const fault = this.#takeFault(command);
    if (fault === 'drop_before') return void response.destroy();
    if (fault === 'bad_gateway') return void response.writeHead(502).end('<html>Bad Gateway</html>');
    const { status, answer } = this.#answer(command, parameters, fault);
    if (fault === 'arrives_twice') this.#answer(command, parameters, null);
    if (fault === 'drop_after') return void response.destroy();
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
    response.end(toJson({ [`${command.toLowerCase()}response`]: answer }));
  }

  #answer(command: string, parameters: ReadonlyMap<string, string>, fault: Effect | null) {
    try {
      verifyRequest(parameters, this.apiKey, this.secretKey);
      return { status: 200, answer: this.#run(command, Object.fromEntries(parameters), fault) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code: errorcode, csCode: cserrorcode, message: errortext } = error;
      const answer = errorcode === 401 ? { errorcode, errortext } : { uuidList: [], errorcode, cserrorcode, errortext };
      return { status: errorcode, answer };
    }
  }

  #run(command: string, given: Readonly<Record<string, string>>, fault: Effect | null): Record<string, unknown> {
    const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
    if (run === undefined)
      throw new Refusal(432, `The given command '${command}' either does not exist, is not available for user.`);
    const outcome = run(this, given);
    if ('answer' in outcome) return outcome.answer;
    // In this order: a create has entered its entity before the id of its job is looked at.
    const jobId = this.jobs.checkId(given['customjobid']);
    const isJobFault = fault === 'job_fails' || fault === 'job_fails_after_effect' || fault === 'job_acts_late';
    this.jobs.start(jobId, command, outcome.job, isJobFault ? fault : null);
    return outcome.createdId === undefined ? { jobid: jobId } : { id: outcome.createdId, jobid: jobId };
  }

  #takeFault(command: string): Effect | null {
    const index = this.faults.findIndex((fault) => fault.command === command);
    const fault = this.faults[index];
    if (fault === undefined) return null;
    fault.times--;
    if (fault.times === 0) this.faults.splice(index, 1);
    return fault.effect;
  }
}

/** JSON whose whole numbers are exact beyond 2^53, as Java writes them. */
function toJson(value: unknown): string {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? rawJSON(String(each)) : each));
}
