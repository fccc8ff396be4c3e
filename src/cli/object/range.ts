import { HoldfastError } from '../../kernel/errors/errors.ts';

/**
 * A `Range` header (RFC 9110, 14.1.2) of what people write: `0-99` (both ends count), `100-` to the end, `-500` for the last
 * 500 bytes. The server answers what it does not understand with the whole object, so that it is refused here. Throws `invalid`.
 */
export function rangeHeader(text: string): string {
  const [, first = '', last = ''] = /^(?:bytes=)?(\d{0,15})-(\d{0,15})$/.exec(text.trim()) ?? [];
  const isBackwards = first !== '' && last !== '' && Number(last) < Number(first);
  if ((first === '' && last === '') || isBackwards || (first === '' && Number(last) === 0)) {
    const forms = 'write 0-99, 100- or -500, in bytes';
    throw new HoldfastError('invalid', `--range: "${text.slice(0, 100)}" is not a range: ${forms}.`, {
      field: '--range',
    });
  }
  return `bytes=${first}-${last}`;
}
