import { ApiError, type Client } from './client.ts';
import { contract } from './contract.ts';
import type { AgentLink } from './hosts/agent/link.ts';
import type { HostReport, HostResult } from './hosts/work.ts';
import { HoldfastError } from './kernel/errors/errors.ts';
import { kindOfStatus } from './kernel/http/errors.ts';

/** How many results one request takes, and how much of them: less than the contract allows. */
const resultsAtOnceMax = 200;
const resultBytesAtOnceMax = 4 * 1_048_576;
const messageLengthMax = 10_000;

/**
 * The agent of another machine: speaks to a server over HTTP, with the address and the token of the client. The client's
 * deadline of one request must be longer than a heartbeat, for which the server keeps a question open.
 *
 * Who the agent is shows only here: an agent that is to prove itself by a certificate (mTLS) gets a link whose requests bear
 * it, and neither the agent nor the server's side of {@link AgentLink} knows the difference.
 */
export function httpLink(client: Client): AgentLink {
  return {
    register: (registration, signal) =>
      asOurs(async () => {
        const { name, instance, address, version, capabilities } = registration;
        const body = { name, instance, address, version, capabilities: { ...capabilities } };
        const reply = await client.call(contract.registerHost, { body }, signal);
        return { hostId: reply.host_id, session: reply.session, heartbeatMs: reply.heartbeat_ms };
      }),
    take: ({ hostId, session }, known, signal) =>
      asOurs(async () => {
        const body = { session, known: [...known] };
        const { work, wanted } = await client.call(contract.takeHostWork, { params: { host: hostId }, body }, signal);
        return { work: work.map(({ timeout_ms: timeoutMs, ...rest }) => ({ ...rest, timeoutMs })), wanted };
      }),
    report: ({ hostId, session }, results, reports, signal) =>
      asOurs(async () => {
        for (const body of reportBodies(results, reports)) {
          const request = { params: { host: hostId }, body: { session, ...body } };
          await client.call(contract.reportHost, request, signal);
        }
      }),
    release: ({ hostId, session }, signal) =>
      asOurs(async () => {
        await client.call(contract.releaseHost, { params: { host: hostId }, body: { session } }, signal);
      }),
  };
}

interface ReportBody {
  readonly results: { id: string; output: unknown; error: HostResult['error'] }[];
  readonly reports: HostReport[];
}

/** Results before what is seen, and each section by itself: what is too large to be taken must not keep the rest. */
function* reportBodies(results: readonly HostResult[], reports: readonly HostReport[]): Generator<ReportBody> {
  let bytes = 0;
  let batch: ReportBody['results'] = [];
  for (const { id, output, error } of results) {
    const one = { id, output, error: error === null ? null : shortened(error) };
    const itsBytes = Buffer.byteLength(JSON.stringify(one));
    if (batch.length > 0 && (batch.length === resultsAtOnceMax || bytes + itsBytes > resultBytesAtOnceMax)) {
      yield { results: batch, reports: [] };
      [batch, bytes] = [[], 0];
    }
    batch.push(one);
    bytes += itsBytes;
  }
  if (batch.length > 0) yield { results: batch, reports: [] };
  for (const { section, data } of reports) yield { results: [], reports: [{ section, data }] };
}

/** A program's last words may be long; without an end the work would be refused, and done for ever. */
function shortened(error: NonNullable<HostResult['error']>): NonNullable<HostResult['error']> {
  return { ...error, message: error.message.slice(0, messageLengthMax) };
}

/** Errors of the server as the kind that they were there, with their details. */
async function asOurs<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new HoldfastError(kindOfStatus(error.status), error.message, error.body.details ?? {}, error);
  }
}
