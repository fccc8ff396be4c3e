import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { passed } from '../image-rules.ts';
import { apiError, isErrorBody, isUnknownEntity } from './api-error.ts';
import type { CloudStackClient } from './client.ts';
import { jobIdOf } from './job-id.ts';
import { type JsonObject, integerIn, isObject, textIn } from './json.ts';
import type { Parameters } from './signing.ts';

/** How often a job is looked at, in milliseconds: the wait grows from the first to the last. */
export interface Polling {
  readonly firstMs: number;
  readonly lastMs: number;
}

export const pollingDefault: Polling = { firstMs: 1_000, lastMs: 5_000 };

/** How a job ended. CloudStack forgets jobs after a day; a `vanished` one says nothing of what it did. */
export type JobEnd =
  | { readonly end: 'done'; readonly result: JsonObject }
  | { readonly end: 'failed'; readonly error: HoldfastError }
  | { readonly end: 'vanished' };

type JobNow = JobEnd | { readonly end: null };

/** Attempts of one wish under one fence; far more than any policy of retries makes within a day. */
const attemptsMax = 100;
const growth = 1.5;

/** Asynchronous commands: each is submitted once, under an id of ours, and followed to its end. */
export class Jobs {
  readonly #client: CloudStackClient;
  readonly #polling: Polling;

  constructor(client: CloudStackClient, polling: Polling) {
    this.#client = client;
    this.#polling = polling;
  }

  /**
   * Carries out a command whose wish was just read as not fulfilled. An earlier attempt of the same facts that still runs
   * is followed instead; one that has ended did not bring it about, so the next id is used.
   *
   * @param facts what makes this wish different from any other: the volume, the verb, its arguments, the fence
   */
  async run(
    command: string,
    parameters: Parameters,
    facts: readonly (string | number)[],
    signal: AbortSignal,
  ): Promise<JobEnd> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const jobId = jobIdOf(command, ...facts, attempt);
      const known = await this.#query(jobId, signal);
      if (known.end === 'vanished') return await this.#submit(command, parameters, jobId, signal);
      if (known.end === null) return await this.follow(jobId, signal);
    }
    throw new HoldfastError('conflict', `${attemptsMax} attempts of ${command} did not bring it about.`);
  }

  /** Waits for a job's end. A lost answer on the way is no reason to stop asking before the deadline. */
  async follow(jobId: string, signal: AbortSignal): Promise<JobEnd> {
    for (let waitMs = this.#polling.firstMs; ; waitMs = Math.min(waitMs * growth, this.#polling.lastMs)) {
      await this.#wait(waitMs, signal);
      try {
        const now = await this.#query(jobId, signal);
        if (now.end !== null) return now;
      } catch (error) {
        if (signal.aborted || !(error instanceof HoldfastError) || error.kind !== 'unavailable') throw error;
      }
    }
  }

  async #submit(command: string, parameters: Parameters, jobId: string, signal: AbortSignal): Promise<JobEnd> {
    let answer: JsonObject;
    try {
      answer = await this.#client.call(command, { ...parameters, customjobid: jobId }, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // The answer may be lost although the command was taken, and another attempt may have been quicker.
      const known = await this.#query(jobId, signal);
      if (known.end === 'vanished') throw error;
      return known.end === null ? await this.follow(jobId, signal) : known;
    }
    // Some commands are asynchronous in some versions only.
    const given = textIn(answer, 'jobid');
    return given === null ? { end: 'done', result: answer } : await this.follow(given, signal);
  }

  async #query(jobId: string, signal: AbortSignal): Promise<JobNow> {
    let job: JsonObject;
    try {
      job = await this.#client.call('queryAsyncJobResult', { jobid: jobId }, signal);
    } catch (error) {
      if (isUnknownEntity(error)) return { end: 'vanished' };
      throw error;
    }
    const status = integerIn(job, 'jobstatus');
    if (status === 0) return { end: null };
    const result = isObject(job['jobresult']) ? job['jobresult'] : {};
    if (status === 1 && !isErrorBody(result)) return { end: 'done', result };
    const command = textIn(job, 'cmd')?.split('.').at(-1)?.replace(/Cmd$/, '') ?? 'a job';
    const body = isErrorBody(result) ? result : { errorcode: 530, errortext: `the job ended with status ${status}` };
    return { end: 'failed', error: apiError(command, body, 530, jobId) };
  }

  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    // A quarter less to a quarter more, so that many followers do not ask at once.
    const jitteredMs = waitMs * (0.75 + Math.random() / 2);
    await delay(jitteredMs, undefined, { signal }).catch(() => {
      throw passed('a job of CloudStack');
    });
  }
}
