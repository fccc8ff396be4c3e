import { createHash } from 'node:crypto';
import type { Bodies, MadeBody } from './objects-bodies.ts';
import { type S3Answer, type S3Client, type S3Outcome, type S3Request, encodeKey } from './objects-client.ts';
import type { History, Place } from './objects-history.ts';
import type { Condition, KeyAction, KeyResult } from './objects-model.ts';

export interface ActsOptions {
  readonly client: S3Client;
  readonly bodies: Bodies;
  readonly history: History;
}

export interface PutWish {
  readonly id: string;
  readonly body: MadeBody;
  readonly tags: string;
  readonly condition?: Condition;
  readonly hangUpAfterMs?: number;
}

/** What a read saw; `null`: nothing stands there. `undefined`: there was no answer. */
export type Seen = { readonly id: string; readonly etag: string } | null | undefined;

/** What clients do, one request each, with what came of it entered into the history. */
export class Acts {
  readonly #options: ActsOptions;

  constructor(options: ActsOptions) {
    this.#options = options;
  }

  async put(place: Place, { id, body, tags, condition, hangUpAfterMs }: PutWish): Promise<void> {
    const headers = { ...identity(id, tags), ...conditionHeaders(condition) };
    const request = { method: 'PUT', ...place, headers, body: body.bytes } as const;
    const action: KeyAction = {
      kind: 'put',
      id,
      etag: body.etag,
      tags,
      ...(condition === undefined ? {} : { condition }),
    };
    await this.change(place, action, hangUpAfterMs === undefined ? request : { ...request, hangUpAfterMs });
  }

  remove(place: Place, id: string): Promise<void> {
    return this.change(place, { kind: 'remove', id }, { method: 'DELETE', ...place });
  }

  async removeVersion(place: Place, versionId: string): Promise<void> {
    const { versions } = this.#options.history.at(place);
    const target = versions.get(versionId)!;
    versions.delete(versionId);
    const query = `versionId=${encodeURIComponent(versionId)}`;
    await this.change(place, { kind: 'removeVersion', target }, { method: 'DELETE', ...place, query });
  }

  tag(place: Place, tags: string): Promise<void> {
    const value = tags.slice(2);
    const body = Buffer.from(`<Tagging><TagSet><Tag><Key>n</Key><Value>${value}</Value></Tag></TagSet></Tagging>`);
    return this.change(place, { kind: 'tag', tags }, { method: 'PUT', ...place, query: 'tagging', body });
  }

  /** Removes several keys of a bucket with one request. */
  async removeMany(places: readonly Place[], ids: readonly string[]): Promise<void> {
    const objects = places.map(({ key }) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
    const body = Buffer.from(`<Delete>${objects}</Delete>`);
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
    const callAtMs = performance.now();
    const { bucket } = places[0]!;
    const outcome = await this.#send('removeMany', { method: 'POST', bucket, query: 'delete', headers, body });
    if (outcome.kind === 'unsent') return;
    const text = outcome.kind === 'answer' && outcome.status === 200 ? outcome.body.toString() : '';
    for (const [index, place] of places.entries()) {
      const isDone = text.includes(`<Deleted><Key>${escapeXml(place.key)}</Key>`);
      const result: KeyResult = { kind: isDone ? 'done' : 'unknown' };
      this.#options.history.note(place, { kind: 'remove', id: ids[index]! }, result, callAtMs);
    }
  }

  /** A copy under metadata and tags of its own, whose source is the one that stands at that moment. */
  async copy(from: Place, to: Place, wish: { id: string; tags: string; isRewritten: boolean }): Promise<void> {
    const { history, bodies } = this.#options;
    const { id, tags, isRewritten } = wish;
    const headers = {
      ...identity(id, tags),
      'x-amz-copy-source': `${from.bucket}/${encodeKey(from.key)}`,
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-tagging-directive': 'REPLACE',
      ...(isRewritten ? { 'x-amz-checksum-algorithm': 'SHA256' } : {}),
    };
    const callAtMs = performance.now();
    const outcome = await this.#send('copy', { method: 'PUT', ...to, headers });
    if (outcome.kind === 'unsent') return;
    const answer = acknowledged(outcome);
    const etag = /<ETag>(?:&quot;|")?([^<&"]+)/.exec(answer?.body.toString() ?? '')?.[1];
    if (answer !== null && etag !== undefined) {
      history.note(
        from,
        { kind: 'read' },
        { kind: 'saw', version: { id: null, etag, orEtag: bodies.inPartsOf(etag) } },
        callAtMs,
      );
      history.note(to, { kind: 'put', id, etag, tags }, { kind: 'done' }, callAtMs);
      this.#noteVersion(to, answer, id);
    } else if (outcome.kind === 'answer' && outcome.status === 404) {
      history.note(from, { kind: 'read' }, { kind: 'saw', version: null }, callAtMs);
    } else if (!isRefused(outcome)) {
      history.noteOpenCopy({ id, from, to, tags, callAtMs });
    }
  }

  async read(place: Place, method: 'GET' | 'HEAD' = 'GET'): Promise<Seen> {
    const { history, bodies } = this.#options;
    const callAtMs = performance.now();
    const outcome = await this.#send(method === 'GET' ? 'read' : 'head', { method, ...place });
    if (outcome.kind !== 'answer') return undefined;
    const { status, headers } = outcome;
    if (status !== 404 && status !== 200) return undefined;
    const seen = status === 404 ? null : identityOf(outcome);
    if (seen !== null) {
      const fault = method === 'GET' ? bodies.fault(seen.etag, outcome.body) : headFault(bodies, seen.etag, outcome);
      if (fault !== null) this.#fault(place, `a clean read of ${seen.id}: ${fault}`);
    }
    // Told from memory while the store is away: right bytes, but maybe not the newest.
    if (headers['x-holdfast-stale'] === undefined) {
      history.note(place, { kind: 'read' }, { kind: 'saw', version: seen }, callAtMs);
    }
    return seen;
  }

  async readRange(place: Place, share: number): Promise<void> {
    const { bodies } = this.#options;
    const seen = await this.read(place, 'HEAD');
    const sizeBytes = seen == null ? null : bodies.sizeOf(seen.etag);
    if (seen == null || sizeBytes === null || sizeBytes === 0) return;
    const first = Math.floor(sizeBytes * share);
    const last = Math.min(sizeBytes - 1, first + Math.floor((sizeBytes - first) * share));
    const headers = { range: `bytes=${first}-${last}`, 'if-match': `"${seen.etag}"` };
    const outcome = await this.#send('readRange', { method: 'GET', ...place, headers });
    if (outcome.kind !== 'answer' || outcome.status !== 206) return;
    const { body } = outcome;
    if (body.length !== last - first + 1) this.#fault(place, `a range of ${last - first + 1} bytes has ${body.length}`);
    else if (!body.equals(bodies.slice(seen.etag, first, last))) {
      this.#fault(place, `the range ${first}–${last} of ${seen.id} has wrong bytes`);
    }
  }

  async readTags(place: Place): Promise<boolean> {
    const callAtMs = performance.now();
    const outcome = await this.#send('readTags', { method: 'GET', ...place, query: 'tagging' });
    if (outcome.kind !== 'answer') return false;
    const { status, body } = outcome;
    // A delete marker has no tags, and may not be asked for them.
    const isGone = status === 404 || status === 405;
    if (!isGone && status !== 200) return false;
    const [, value] = /<Value>([^<]*)<\/Value>/.exec(body.toString()) ?? [];
    const tags = isGone ? null : value === undefined ? '' : `n=${value}`;
    this.#options.history.note(place, { kind: 'readTags' }, { kind: 'sawTags', tags }, callAtMs);
    return true;
  }

  /** Sends a request that changes one key and enters what came of it; gives the answer when it was carried out. */
  async change(place: Place, action: KeyAction, request: S3Request, callAtMs = performance.now()): Promise<void> {
    const { history } = this.#options;
    const outcome = await this.#send(action.kind, request);
    if (outcome.kind === 'unsent') return;
    const answer = acknowledged(outcome);
    if (answer !== null) {
      history.note(place, action, { kind: 'done' }, callAtMs);
      if (action.kind === 'put') this.#noteVersion(place, answer, action.id);
    } else if (isConditionRefused(outcome, action)) history.note(place, action, { kind: 'refused' }, callAtMs);
    else if (!isRefused(outcome)) history.note(place, action, { kind: 'unknown' }, callAtMs);
  }

  /** For requests that change no key by themselves. */
  send(kind: string, request: S3Request): Promise<S3Outcome> {
    return this.#send(kind, request);
  }

  async #send(kind: string, request: S3Request): Promise<S3Outcome> {
    const outcome = await this.#options.client.send(request);
    const { history } = this.#options;
    const end = outcome.kind === 'answer' ? String(outcome.status) : outcome.kind;
    history.count(kind, end);
    if (outcome.kind === 'answer' && isUnexpected(outcome)) {
      const text = outcome.body.toString().slice(0, 300);
      history.faults.push(`${kind} of ${request.bucket}/${request.key ?? ''} was answered ${outcome.status}: ${text}`);
    }
    return outcome;
  }

  #noteVersion(place: Place, { headers }: S3Answer, id: string): void {
    const versionId = headers['x-amz-version-id'];
    if (versionId !== undefined) this.#options.history.at(place).versions.set(versionId, id);
  }

  #fault({ bucket, key }: Place, sentence: string): void {
    this.#options.history.faults.push(`${bucket}/${key}: ${sentence}`);
  }
}

/** The write and its tags, as headers. */
export function identity(id: string, tags: string): Record<string, string> {
  return { 'x-amz-meta-id': id, 'content-type': `x/${id}`, ...(tags === '' ? {} : { 'x-amz-tagging': tags }) };
}

export function identityOf({ headers }: S3Answer): { readonly id: string; readonly etag: string } {
  return { id: headers['x-amz-meta-id'] ?? '', etag: (headers['etag'] ?? '').replaceAll('"', '') };
}

function headFault(bodies: Bodies, etag: string, { headers }: S3Answer): string | null {
  const told = Number(headers['content-length']);
  return told === bodies.sizeOf(etag) ? null : `its length is told as ${told} and is ${bodies.sizeOf(etag)}`;
}

function conditionHeaders(condition: Condition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  return 'ifMatch' in condition ? { 'if-match': `"${condition.ifMatch}"` } : { 'if-none-match': '*' };
}

/** A 200 that began early may tell an error in its body. */
export function acknowledged(outcome: S3Outcome): S3Answer | null {
  const isDone = outcome.kind === 'answer' && outcome.status < 300 && !outcome.body.includes('<Error>');
  return isDone ? outcome : null;
}

/** Whether it was surely not carried out. */
export function isRefused(outcome: S3Outcome): boolean {
  if (outcome.kind === 'unsent') return true;
  return outcome.kind === 'answer' && outcome.status >= 400 && outcome.status < 500;
}

/** Whether what stood there was not what the request demanded. */
function isConditionRefused(outcome: S3Outcome, action: KeyAction): boolean {
  if (outcome.kind !== 'answer') return false;
  const isConditional = action.kind === 'put' && action.condition !== undefined;
  if (outcome.status === 412) return isConditional;
  return (outcome.status === 404 || outcome.status === 405) && (isConditional || action.kind === 'tag');
}

/** Refusals that no request of these clients deserves; races (409), conditions and what is not there are no such. */
function isUnexpected({ status, body }: S3Answer): boolean {
  if (status < 400 || status >= 500 || [404, 405, 409, 412].includes(status)) return false;
  return !/<Code>(InvalidPart|RequestTimeout)</.test(body.toString());
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
