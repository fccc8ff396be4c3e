import { smallContentBytes } from './content.ts';

/**
 * How the own bytes of a content's part are laid down as the body of a blob. All copies of a part have the same form. It says
 * whether a body is right without any key, and what reading it takes. Own bytes that stand there as they are have one only
 * where they are longer than one chunk that is verified alone.
 */
export interface StoredForm {
  /** Of the body, as it stands in the blob. */
  readonly bodyBytes: number;
  /** Of the body (ISO 3309), as an unsigned integer. */
  readonly crc32: number;
  /** How it was compressed, before it was encrypted; `null`: it was not. */
  readonly zstd: ZstdForm | null;
  /** How it was encrypted; `null`: it was not. */
  readonly sealed: SealedForm | null;
  /** What pieces of a plain body are verified by; see {@link sumsOfBody} for where there are none. */
  readonly sums: SumsForm | null;
}

export interface SumsForm {
  /** Bytes of the body in a chunk; the last one may have fewer. */
  readonly chunkBytes: number;
  /** Of each chunk (ISO 3309), in order, as unsigned integers. */
  readonly crc32s: readonly number[];
}

export interface ZstdForm {
  /** Own bytes in a frame; the last one may have fewer. */
  readonly frameBytes: number;
  /** How long each compressed frame is, in order. */
  readonly frames: readonly number[];
}

export interface SealedForm {
  /** Bytes in a chunk before it was encrypted. */
  readonly chunkBytes: number;
  readonly key: WrappedDataKey;
}

/** The data key of one part, for which the customer's own key is needed when `kekId` is null. */
export interface WrappedDataKey {
  /** The key-encryption key that wraps it. */
  readonly kekId: string | null;
  /** Base64. */
  readonly wrapped: string;
}

/** A form whose body was not made yet: all of it has the same length as what will be; checksums of chunks are zeros. */
export type FormDraft = Omit<StoredForm, 'crc32'>;

interface FormJson {
  readonly body_bytes: number;
  readonly crc32: string;
  readonly zstd?: { readonly frame_bytes: number; readonly frames: string };
  readonly sealed?: { readonly chunk_bytes: number; readonly kek?: string; readonly key: string };
  readonly sums?: { readonly chunk_bytes: number; readonly crc32s: string };
}

/** As it stands in the ledger and in descriptions. Its length does not depend on the checksums. */
export function formToJson({ bodyBytes, crc32, zstd, sealed, sums }: StoredForm): FormJson {
  return {
    body_bytes: bodyBytes,
    crc32: crc32.toString(16).padStart(8, '0'),
    ...(zstd === null ? {} : { zstd: { frame_bytes: zstd.frameBytes, frames: pack(zstd.frames) } }),
    ...(sealed === null ? {} : { sealed: sealedToJson(sealed) }),
    ...(sums === null ? {} : { sums: { chunk_bytes: sums.chunkBytes, crc32s: pack(sums.crc32s) } }),
  };
}

function sealedToJson({ chunkBytes, key: { kekId, wrapped } }: SealedForm) {
  return { chunk_bytes: chunkBytes, ...(kekId === null ? {} : { kek: kekId }), key: wrapped };
}

/** The inverse of {@link formToJson}. Throws for what is no form. */
export function formFromJson(value: unknown): StoredForm {
  const { body_bytes: bodyBytes, crc32, zstd, sealed, sums } = value as FormJson;
  const form = {
    bodyBytes,
    crc32: Number.parseInt(crc32, 16),
    zstd: zstd === undefined ? null : { frameBytes: zstd.frame_bytes, frames: unpack(zstd.frames) },
    sealed:
      sealed === undefined
        ? null
        : { chunkBytes: sealed.chunk_bytes, key: { kekId: sealed.kek ?? null, wrapped: sealed.key } },
    sums: sums === undefined ? null : { chunkBytes: sums.chunk_bytes, crc32s: unpack(sums.crc32s) },
  };
  const lengths = [form.zstd?.frameBytes ?? 1, form.sealed?.chunkBytes ?? 1, form.sums?.chunkBytes ?? 1];
  const numbers = [bodyBytes, form.crc32, ...lengths];
  const isWhole = numbers.every((one) => Number.isSafeInteger(one) && one >= 0) && hasAllSums(form);
  if (isWhole) return form;
  throw new Error('a stored form is not whole');
}

/** Pieces that nobody could verify would be served unseen. */
function hasAllSums({ bodyBytes, sums }: StoredForm): boolean {
  return sums === null || sums.crc32s.length === Math.ceil(bodyBytes / sums.chunkBytes);
}

/** As a column of the ledger. */
export function formColumn(form: StoredForm | null): string | null {
  return form === null ? null : JSON.stringify(formToJson(form));
}

export function formOfColumn(text: string | null): StoredForm | null {
  return text === null ? null : formFromJson(JSON.parse(text));
}

/** The form of a body that has none: the own bytes as they are. */
export function plainForm({ sizeBytes, crc32 }: { readonly sizeBytes: number; readonly crc32: number }): StoredForm {
  return { bodyBytes: sizeBytes, crc32, zstd: null, sealed: null, sums: null };
}

/**
 * What pieces of a body are verified by, before anything else is made of them: what is at most one chunk is verified whole.
 * `null`: encrypted chunks and compressed frames prove themselves, and plain bytes without checksums are not verified in pieces,
 * which an earlier release wrote, or which were taken over as they stood.
 */
export function sumsOfBody({ bodyBytes, crc32, sealed, sums }: StoredForm): SumsForm | null {
  if (sealed !== null || sums !== null || bodyBytes > smallContentBytes) return sums;
  return { chunkBytes: smallContentBytes, crc32s: [crc32] };
}

/** What all of a body is verified by, without any key: that of a plain one are the own bytes' length and checksum. */
export function bodyOf(copy: {
  readonly sizeBytes: number;
  readonly crc32: number;
  readonly form: StoredForm | null;
}): {
  readonly bytes: number;
  readonly crc32: number;
} {
  const { form } = copy;
  return form === null ? { bytes: copy.sizeBytes, crc32: copy.crc32 } : { bytes: form.bodyBytes, crc32: form.crc32 };
}

const numberBytes = 4;

function pack(numbers: readonly number[]): string {
  const bytes = Buffer.alloc(numbers.length * numberBytes);
  for (const [index, one] of numbers.entries()) bytes.writeUInt32BE(one, index * numberBytes);
  return bytes.toString('base64');
}

function unpack(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  const numbers: number[] = [];
  for (let at = 0; at + numberBytes <= bytes.length; at += numberBytes) numbers.push(bytes.readUInt32BE(at));
  return numbers;
}
