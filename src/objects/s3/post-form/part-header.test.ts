import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { s3CodeOf } from '../../errors.ts';
import { parseBoundary, parsePartHeader } from './part-header.ts';

const isMalformed = (error: unknown) => error instanceof HoldfastError && s3CodeOf(error) === 'MalformedPOSTRequest';

describe('a boundary', () => {
  test('is read from the type of a form', () => {
    assert.equal(
      parseBoundary('multipart/form-data; boundary=----WebKitFormBoundary7MA4'),
      '----WebKitFormBoundary7MA4',
    );
    assert.equal(parseBoundary('Multipart/Form-Data;charset=utf-8;BOUNDARY="a b:c"'), 'a b:c');
  });

  test('is in no other type', () => {
    for (const type of [undefined, '', 'multipart/mixed; boundary=a', 'multipart/form-data', 'text/plain']) {
      assert.equal(parseBoundary(type), null, type);
    }
  });

  test('is refused when it is not valid', () => {
    const types = ['', 'boundary=', 'boundary="a "', `boundary=${'a'.repeat(71)}`, 'boundary="a\r\nb"', 'boundary=ä'];
    for (const type of [...types, 'charset=a', 'boundary=a; boundary=b', 'boundary']) {
      assert.throws(() => parseBoundary(`multipart/form-data; ${type}`), isMalformed, type);
    }
  });
});

describe('the header of a part', () => {
  const disposition = (parameters: string) => parsePartHeader(`Content-Disposition: form-data; ${parameters}`);

  test('names a field, and a file without its path', () => {
    assert.deepEqual(disposition('name="key"'), { name: 'key', fileName: undefined });
    assert.deepEqual(disposition('name=key ; filename="a b;c.jpg"'), { name: 'key', fileName: 'a b;c.jpg' });
    assert.equal(disposition('name="file"; filename="C:\\dir\\a.jpg"').fileName, 'a.jpg');
    assert.equal(disposition('name="file"; filename="/home/ann/a.jpg"').fileName, 'a.jpg');
    assert.equal(disposition('name="file"; filename="say \\"hi\\".txt"').fileName, 'say "hi".txt');
    assert.equal(disposition('filename="name=x"; name="file"').name, 'file');
    assert.equal(disposition(`name="file"; filename="ä"; filename*=UTF-8''%C3%A4`).fileName, 'ä');
    const whole = 'content-type: image/jpeg\r\nContent-Disposition: form-data; name="file"; filename=""';
    assert.deepEqual(parsePartHeader(whole), { name: 'file', fileName: '' });
  });

  test('is refused when it is not one', () => {
    const headers = [
      '',
      'Content-Type: text/plain',
      'Content-Disposition: form-data',
      'Content-Disposition: attachment; name="a"',
      'Content-Disposition: form-data; name=""',
      'Content-Disposition: form-data; filename="a"',
      'Content-Disposition: form-data; name="a',
      'Content-Disposition: form-data; name="a"; name="b"',
      'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"',
      'Content-Disposition: form-data; name="a"\r\n folded: b',
      'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64',
    ];
    for (const header of headers) assert.throws(() => parsePartHeader(header), isMalformed, header);
  });

  test('of any text is read or refused', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '"', '\\', ';', '=', ' ', '\r\n', 'name=', 'form-data', 'Content-Disposition: ', 'ä'),
    });
    fc.assert(
      fc.property(text, (one) => {
        for (const parse of [() => parsePartHeader(one), () => parseBoundary(`multipart/form-data;${one}`)]) {
          try {
            parse();
          } catch (error) {
            assert.ok(isMalformed(error));
          }
        }
      }),
    );
  });
});
