import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { s3CodeOf } from '../../errors.ts';
import { readForm } from './form-reader.ts';

const boundary = 'b0undary';
const refusedAs = (code: string) => (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === code;

function part(name: string, content: Buffer | string, more = ''): Buffer {
  const header = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  return Buffer.concat([Buffer.from(header), Buffer.from(content), Buffer.from('\r\n')]);
}

function formOf(fields: Record<string, string>, file: Buffer, end = `--${boundary}--\r\n`): Buffer {
  const parts = Object.entries(fields).map(([name, value]) => part(name, value));
  return Buffer.concat([...parts, part('file', file, '; filename="a.txt"'), Buffer.from(end)]);
}

async function* inPieces(body: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let [offset, index] = [0, 0];
  while (offset < body.length) {
    const size = sizes[index++ % sizes.length] ?? 1;
    yield body.subarray(offset, offset + size);
    offset += size;
  }
}

async function read(body: Buffer, sizes: readonly number[] = [1_000]) {
  const form = await readForm(inPieces(body, sizes), body.length, boundary);
  return { ...form, bytes: Buffer.concat(await Array.fromAsync(form.file.content)) };
}

describe('a form', () => {
  test('is read in any pieces, and its file is as long as was computed', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }).map((array) => Buffer.from(array)),
      // What looks like a boundary nearly to its end.
      fc
        .array(fc.constantFrom('\r', '\n', '\r\n', '--', `--${boundary}`, '\r\n--b0undar', 'x'), { maxLength: 30 })
        .map((parts) => Buffer.from(parts.join('')))
        .filter((buffer) => !buffer.includes(`\r\n--${boundary}`)),
    );
    const fields = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/), fc.string({ unit: 'grapheme' }), {
      maxKeys: 4,
      noNullPrototype: true,
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fields, bytes, sizes, async ({ file: _file, ...some }, content, pieces) => {
        const form = await read(formOf(some, content), pieces);
        assert.deepEqual(Object.fromEntries(form.fields), some);
        assert.equal(form.file.sizeBytes, content.length);
        assert.equal(form.file.name, 'a.txt');
        assert.ok(form.bytes.equals(content));
      }),
    );
  });

  test('in one buffer may lack the last line break', async () => {
    const body = formOf({ key: 'a' }, Buffer.from('content'), `--${boundary}--`);
    const form = await readForm(body, body.length, boundary);
    assert.equal(form.file.sizeBytes, 7);
    assert.equal(Buffer.concat(await Array.fromAsync(form.file.content)).toString(), 'content');
    await assert.rejects(read(body), refusedAs('MalformedPOSTRequest'));
  });

  test('takes names in any case, and what stands before the first boundary for nothing', async () => {
    const body = Buffer.concat([Buffer.from('preamble\r\n'), formOf({ KEY: 'a' }, Buffer.from('x'))]);
    assert.deepEqual([...(await read(body)).fields], [['key', 'a']]);
  });

  test('is refused with a field behind the file', async () => {
    const after = part('submit', 'Upload');
    const body = Buffer.concat([
      formOf({ key: 'a' }, Buffer.from('x'.repeat(500)), ''),
      after,
      Buffer.from(`--${boundary}--\r\n`),
    ]);
    for (const size of [1, 7, 64, 10_000]) {
      await assert.rejects(read(body, [size]), refusedAs('MalformedPOSTRequest'), String(size));
    }
  });

  test('is refused when it is broken', async () => {
    const whole = formOf({ key: 'a' }, Buffer.from('x'));
    const cases: [Buffer, string][] = [
      [Buffer.alloc(0), 'MalformedPOSTRequest'],
      [Buffer.from('no form at all'), 'MalformedPOSTRequest'],
      [Buffer.from(`--${boundary}--\r\n`), 'InvalidArgument'],
      [Buffer.concat([part('key', 'a'), Buffer.from(`--${boundary}--\r\n`)]), 'InvalidArgument'],
      [Buffer.concat([part('a', '1'), part('A', '2'), whole]), 'MalformedPOSTRequest'],
      [Buffer.concat([part('a', Buffer.from([0xff])), whole]), 'MalformedPOSTRequest'],
      [Buffer.from(whole.toString().replace(boundary, `${boundary}x`)), 'MalformedPOSTRequest'],
      [Buffer.concat([part('a', 'x'.repeat(20_480)), whole]), 'MaxMessageLengthExceeded'],
      [Buffer.concat([Buffer.alloc(30_000), whole]), 'MaxMessageLengthExceeded'],
      [Buffer.concat([whole, Buffer.from('epilogue')]), 'MalformedPOSTRequest'],
      [formOf({}, Buffer.from('x'), `--${boundary}-x\r\n`), 'MalformedPOSTRequest'],
      [formOf({}, Buffer.from('x'), ''), 'MalformedPOSTRequest'],
    ];
    for (const [body, code] of cases) {
      for (const size of [1, 10, 100_000]) {
        await assert.rejects(read(body, [size]), refusedAs(code), `${code} ${body.toString().slice(0, 200)}`);
      }
    }
  });

  test('cut anywhere never ends cleanly', async () => {
    const whole = formOf({ key: 'a' }, Buffer.from('content\r\n--'));
    for (let length = 0; length < whole.length; length += 1) {
      const form = async () => {
        const { file } = await readForm(inPieces(whole.subarray(0, length), [11]), whole.length, boundary);
        await Array.fromAsync(file.content);
      };
      await assert.rejects(form(), refusedAs('MalformedPOSTRequest'), String(length));
    }
  });

  test('of any bytes is read or refused', async () => {
    const piece = fc.constantFrom(
      '\r\n',
      `--${boundary}`,
      '--',
      'Content-Disposition: form-data; name="file"',
      '\r\n\r\n',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 40 }), async (pieces, size) => {
        try {
          await read(Buffer.from(pieces.join('')), [size]);
        } catch (error) {
          assert.ok(error instanceof HoldfastError);
        }
      }),
    );
  });
});
