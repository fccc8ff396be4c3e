import type { S3Action } from '../../access/access.ts';
import { policyContext } from '../../access/policy/context.ts';
import { checksumAlgorithms, checksumHeader } from '../../checksums/algorithm.ts';
import { parseDigest } from '../../checksums/value.ts';
import { type Content, chunksOf, smallContentBytes } from '../../content/content.ts';
import { objectError } from '../../errors.ts';
import type { PutRequest } from '../../gateway.ts';
import type { Tags } from '../../object.ts';
import type { S3Context, S3Reply } from '../command.ts';
import { lockActions, lockFor } from '../lock-rules.ts';
import { parseEncryption } from '../encryption-headers.ts';
import { parseAttributes } from '../metadata.ts';
import { parseTagging, tagsPerObjectMax } from '../tags.ts';
import { writtenHeaders } from '../writing.ts';
import { parseXml } from '../xml/reader.ts';
import { checkPostPolicy } from './check-post-policy.ts';
import { type FormHeaders, formHeaders } from './form-headers.ts';
import { type Form, type FormFile, readForm } from './form-reader.ts';
import { replyToForm } from './form-reply.ts';
import { type FormSigner, findSigner } from './form-signer.ts';
import { parseBoundary } from './part-header.ts';

const keyBytesMax = 1024;

/**
 * Takes a file that a browser sends with a form
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html). Who may do so is decided here, once the fields are
 * read: the form's signature says who lets it, its policy what exactly, and no byte of the file is written before that.
 */
export async function uploadForm(context: S3Context): Promise<S3Reply> {
  const { bucket, gateway, nowMs } = context;
  const form = await formOf(context);
  const fields = withKey(form);
  const key = fields.get('key')!;
  const signer = await findSigner(context.access, fields);
  const { user, policy } = signer;
  if (policy !== null) {
    checkPostPolicy(policy, { bucket: bucket.name, fields, sizeBytes: form.file.sizeBytes }, nowMs);
  }
  const tags = tagsOf(fields);
  const hasTags = Object.keys(tags).length > 0;
  const headers = formHeaders(fields, hasTags ? new URLSearchParams(tags).toString() : undefined);
  const encryption = parseEncryption(headers.header);
  const actions: readonly S3Action[] = [
    's3:PutObject',
    ...(hasTags ? (['s3:PutObjectTagging'] as const) : []),
    ...lockActions(headers.header),
  ];
  await authorize(context, signer, { key, headers, actions });
  context.admit(user);
  const version = await gateway.objects.put({
    bucket: bucket.name,
    key,
    sizeBytes: form.file.sizeBytes,
    content: await contentOf(form.file),
    ...checksumsOf(fields),
    attributes: parseAttributes(headers.header, headers.headersFrom),
    encryption,
    storageClass: headers.header('x-amz-storage-class') || undefined,
    tags,
    lock: lockFor(headers.header, bucket.settings, nowMs),
    conditions: {},
    cause: 'post',
    actor: user?.id ?? 'anonymous',
    signal: context.signal,
  });
  const written = writtenHeaders(context, version, encryption);
  return replyToForm({ version, headers: written, fields, bucketUrl: bucketUrl(context) });
}

/** Throws `PreconditionFailed` for a body that is no form, as AWS does. */
async function formOf(context: S3Context): Promise<Form> {
  const boundary = parseBoundary(context.header('content-type'));
  if (boundary === null) {
    const condition = 'Bucket POST must be of the enclosure-type multipart/form-data';
    throw objectError('PreconditionFailed', { condition });
  }
  if (context.user !== null) {
    throw objectError('InvalidRequest', {}, 'A form is signed in its fields, not in a header or the query.');
  }
  const { content, sizeBytes, md5, sha256, checksums } = await context.incoming();
  if (md5 !== undefined || sha256 !== undefined || checksums !== undefined) {
    // They would be about the form, which nobody keeps, and not about the object.
    throw objectError('InvalidRequest', {}, 'Digests of an upload by form stand in its fields.');
  }
  return readForm(content, sizeBytes, boundary);
}

/** The fields with a whole key: conditions are about what is meant, so variables are replaced before. */
function withKey({ fields, file }: Form): ReadonlyMap<string, string> {
  const key = fields.get('key')?.replaceAll('${filename}', () => file.name);
  if (key === undefined || key === '') {
    throw objectError('InvalidArgument', { argument: 'key' }, "Bucket POST must contain a field named 'key'.");
  }
  if (key.includes('\u0000')) throw objectError('InvalidURI', {}, 'A key cannot contain a null character.');
  if (Buffer.byteLength(key) > keyBytesMax) throw objectError('KeyTooLongError', { size_bytes_max: keyBytesMax });
  return new Map([...fields, ['key', key]]);
}

function tagsOf(fields: ReadonlyMap<string, string>): Tags {
  const text = fields.get('tagging');
  return text === undefined ? {} : parseTagging(parseXml(text), tagsPerObjectMax);
}

async function authorize(
  { access, bucket, query, request, nowMs }: S3Context,
  { user, signatureVersion }: FormSigner,
  asked: {
    readonly key: string;
    readonly headers: FormHeaders;
    readonly actions: readonly S3Action[];
  },
): Promise<void> {
  const { key, headers, actions } = asked;
  const facts = policyContext({
    user,
    // What no field can say, the request says of its sender; of the object it says nothing.
    header: (name) =>
      headers.header(name) ?? (name.startsWith('x-amz-') ? undefined : (request.headers[name] as string | undefined)),
    query,
    address: request.socket.remoteAddress,
    isTls: 'encrypted' in request.socket,
    authType: user === null ? null : 'POST',
    nowMs,
  });
  const context = signatureVersion === null ? facts : { ...facts, 's3:signatureversion': signatureVersion };
  for (const action of actions) await access.authorize({ user, action, bucket, key, context });
}

function checksumsOf(fields: ReadonlyMap<string, string>): Pick<PutRequest, 'checksums'> {
  const checksums = checksumAlgorithms.flatMap((algorithm) => {
    const expected = fields.get(checksumHeader(algorithm));
    if (expected === undefined) return [];
    parseDigest(algorithm, expected);
    return [{ algorithm, expected }];
  });
  if (checksums.length > 1) throw objectError('InvalidRequest', {}, 'Only one x-amz-checksum- field is expected.');
  return checksums.length === 0 ? {} : { checksums };
}

/** What is small comes as one buffer, which costs less than a stream. */
async function contentOf({ sizeBytes, content }: FormFile): Promise<Content> {
  if (sizeBytes > smallContentBytes) return content;
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(content)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function bucketUrl({ request }: S3Context): string {
  const path = (request.url ?? '').split('?', 1)[0]!.replace(/\/$/, '');
  if (!path.startsWith('/') && path !== '') return path;
  return `${'encrypted' in request.socket ? 'https' : 'http'}://${request.headers.host ?? ''}${path}`;
}
