/**
 * The unit serial number out of a SCSI vital product data page 0x80 (SPC-4, 7.8.18): a header of four bytes, of which
 * the last two are the length, then ASCII. `null` when it is no such page, is cut off, or names nothing.
 */
export function serialOfPage80(page: Buffer | null): string | null {
  if (page === null || page.length < 4 || page[1] !== 0x80) return null;
  const end = 4 + page.readUInt16BE(2);
  if (page.length < end) return null;
  const serial = page.toString('latin1', 4, end).replaceAll('\0', '').trim();
  return serial === '' ? null : serial;
}
