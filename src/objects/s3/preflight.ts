import { objectError } from '../errors.ts';
import type { ObjectGateway } from '../gateway.ts';
import type { S3Reply } from './command.ts';
import { matchCors } from './cors-rules.ts';
import type { Exchange } from './exchange.ts';
import type { Target } from './target.ts';

/**
 * Answers a browser that asks whether a page of another origin may do what it wants (Fetch, "CORS-preflight request"). It
 * carries no signature, so it is answered before authentication. Throws `AccessForbidden` when no rule allows it.
 */
export async function answerPreflight(gateway: ObjectGateway, exchange: Exchange, target: Target): Promise<S3Reply> {
  const { headers } = exchange.request;
  const { origin } = headers;
  const method = headers['access-control-request-method'];
  if (typeof origin !== 'string' || typeof method !== 'string') {
    const message = 'Origin and Access-Control-Request-Method are needed.';
    throw objectError('BadRequest', {}, message);
  }
  if (target.resource === 'service') throw objectError('AccessForbidden');
  const { settings } = await gateway.buckets.get(target.bucketName);
  const requested = headers['access-control-request-headers'];
  const names = typeof requested === 'string' && requested !== '' ? requested.split(',') : [];
  const answer = matchCors(settings.cors ?? [], origin, method, names);
  if (answer === null) throw objectError('AccessForbidden');
  return { status: 200, headers: answer };
}

/** Adds to an answer what tells the browser that the page may see it. */
export function addCorsHeaders(exchange: Exchange): void {
  const { bucket, request, common } = exchange;
  const { origin } = request.headers;
  const rules = bucket?.settings.cors;
  if (origin === undefined || rules === undefined || rules.length === 0) return;
  const headers = matchCors(rules, origin, request.method ?? '', []);
  for (const name in headers) common.push(name, headers[name]!);
}
