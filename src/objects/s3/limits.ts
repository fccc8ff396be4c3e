/** What one client may cost. All of it can be set, mostly so that tests need not wait. */
export interface Limits {
  /** Of a request's first line and headers together, in bytes. */
  readonly headerBytesMax: number;
  /** Until the headers have come, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** Until the next 4 KiB of a body that is waited for have come, in milliseconds. A transfer has no limit as a whole. */
  readonly bodyTimeoutMs: number;
  /** Until a client that is sent something has taken anything of it, in milliseconds. */
  readonly sendTimeoutMs: number;
  /** How long a connection stays open without a request, in milliseconds. */
  readonly idleTimeoutMs: number;
  readonly connectionsMax: number;
  /** Requests under way at once; more are told to slow down. */
  readonly requestsMax: number;
  /** How much of a refused request's body is read so that its connection can go on, in bytes. */
  readonly drainBytesMax: number;
  readonly drainTimeoutMs: number;
  /** After how long an answer to long work begins with white space, in milliseconds. */
  readonly patienceMs: number;
  /** How long requests under way may take to end when the server closes, in milliseconds. */
  readonly closeTimeoutMs: number;
}

export const defaultLimits: Limits = {
  headerBytesMax: 32_768,
  headersTimeoutMs: 20_000,
  bodyTimeoutMs: 20_000,
  sendTimeoutMs: 60_000,
  idleTimeoutMs: 65_000,
  connectionsMax: 4_096,
  requestsMax: 1_024,
  drainBytesMax: 1_048_576,
  drainTimeoutMs: 5_000,
  patienceMs: 10_000,
  closeTimeoutMs: 10_000,
};
