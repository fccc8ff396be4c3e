/**
 * How the own bytes of a content's part are laid down as the body of a blob, where they do not stand there as they are. All
 * copies of a part have the same form. It says whether a body is right without any key, and what reading it takes.
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

/** A form whose body was not made yet: all that is known of it by then has the same length as what will be. */
export type FormDraft = Omit<StoredForm, 'crc32'>;

interface FormJson {
  readonly body_bytes: number;
  readonly crc32: string;
  readonly zstd?: { readonly frame_bytes: number; readonly frames: string };
  readonly sealed?: { readonly chunk_bytes: number; readonly kek?: string; readonly key: string };
}

/** As it stands in the ledger and in descriptions. Its length does not depend on the checksum. */
export function formToJson({ bodyBytes, crc32, zstd, sealed }: StoredForm): FormJson {
  return {
    body_bytes: bodyBytes,
    crc32: crc32.toString(16).padStart(8, '0'),
    ...(zstd === null ? {} : { zstd: { frame_bytes: zstd.frameBytes, frames: packLengths(zstd.frames) } }),
    ...(sealed === null ? {} : { sealed: sealedToJson(sealed) }),
  };
}

function sealedToJson({ chunkBytes, key: { kekId, wrapped } }: SealedForm) {
  return { chunk_bytes: chunkBytes, ...(kekId === null ? {} : { kek: kekId }), key: wrapped };
}

/** The inverse of {@link formToJson}. Throws for what is no form. */
export function formFromJson(value: unknown): StoredForm {
  const { body_bytes: bodyBytes, crc32, zstd, sealed } = value as FormJson;
  const form = {
    bodyBytes,
    crc32: Number.parseInt(crc32, 16),
    zstd: zstd === undefined ? null : { frameBytes: zstd.frame_bytes, frames: unpackLengths(zstd.frames) },
    sealed:
      sealed === undefined
        ? null
        : { chunkBytes: sealed.chunk_bytes, key: { kekId: sealed.kek ?? null, wrapped: sealed.key } },
  };
  const numbers = [bodyBytes, form.crc32, form.zstd?.frameBytes ?? 1, form.sealed?.chunkBytes ?? 1];
  if (numbers.every((one) => Number.isSafeInteger(one) && one >= 0)) return form;
  throw new Error('a stored form is not whole');
}

/** As a column of the ledger; plain is null. */
export function formColumn(form: StoredForm | null): string | null {
  return form === null ? null : JSON.stringify(formToJson(form));
}

export function formOfColumn(text: string | null): StoredForm | null {
  return text === null ? null : formFromJson(JSON.parse(text));
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

const lengthBytes = 4;

function packLengths(lengths: readonly number[]): string {
  const bytes = Buffer.alloc(lengths.length * lengthBytes);
  for (const [index, length] of lengths.entries()) bytes.writeUInt32BE(length, index * lengthBytes);
  return bytes.toString('base64');
}

function unpackLengths(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / lengthBytes }, (_, index) => bytes.readUInt32BE(index * lengthBytes));
}
