/**
 * A text as a header can carry it: as it is when every character is a visible one of ASCII or a space, else as an encoded word
 * (RFC 2047), which S3 answers too (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
 */
export function toHeaderText(text: string): string {
  return /^[ -~]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
}

/**
 * The text that a header's value stands for. Node gives each byte as one character; clients send UTF-8, and what is not
 * UTF-8 is taken as Latin-1.
 */
export function fromHeaderText(value: string): string {
  if (/^[\t -~]*$/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  const text = bytes.toString();
  return text.includes('\ufffd') && Buffer.compare(Buffer.from(text), bytes) !== 0 ? value : text;
}
