import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../../errors.ts';
import { isSpeakable } from './escape.ts';
import { parseXml } from './reader.ts';
import { leaf, writeDocument } from './writer.ts';

/** The text of the root, or the code with which the document is refused. */
function outcome(document: string): string {
  try {
    return parseXml(document).text ?? '(elements)';
  } catch (error) {
    return s3CodeOf(error);
  }
}

const markup = [
  '<',
  '>',
  '</',
  '/>',
  '<a',
  '<a>',
  '</a>',
  '<a/>',
  '<a:b>',
  ' a="1"',
  '<!--',
  '-->',
  '<!---->',
  '<![CDATA[',
  ']]>',
  '<![CDATA[]]>',
  '<?x ?>',
  '<?',
  '&amp;',
  '&#65;',
  '&#',
  '&',
  "'",
  '"',
  '=',
  '\n',
  ' ',
  'é',
];

const document = writeDocument({
  name: 'Delete',
  children: [
    { name: 'Object', children: [leaf('Key', 'a & <b> "c"\r'), leaf('VersionId', 'null')] },
    { name: 'Object', attributes: { a: '1', b: '<' }, children: [leaf('Key', '😀')] },
    leaf('Quiet', true),
  ],
});

describe('hostile XML', () => {
  test('that is a document with something changed, put in or taken out is read or refused', () => {
    const at = fc.nat(document.length);
    const piece = fc.oneof(fc.constantFrom(...markup), fc.string({ unit: 'binary', maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(at, fc.nat(4), piece), { minLength: 1, maxLength: 3 }), (changes) => {
        let changed = document;
        for (const [start, removed, added] of changes) {
          changed = changed.slice(0, start) + added + changed.slice(start + removed);
        }
        assert.ok(
          ['(elements)', 'MalformedXML'].includes(outcome(changed)) || parseXml(changed).children === undefined,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is cut off anywhere is refused', () => {
    assert.equal(outcome(document), '(elements)');
    for (let length = 0; length < document.length; length++) {
      assert.equal(outcome(document.slice(0, length)), 'MalformedXML', String(length));
    }
  });

  test('has no entities but the five of XML', () => {
    const known: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
    const name = fc.oneof(
      fc.constantFrom(...Object.keys(known), 'nbsp', 'AMP', 'constructor', '__proto__', 'toString', ''),
      fc.stringMatching(/^[a-z]{1,5}$/),
    );
    fc.assert(
      fc.property(name, (entity) => {
        const text = Object.hasOwn(known, entity) ? `x${known[entity]}y` : 'MalformedXML';
        assert.equal(outcome(`<a>x&${entity};y</a>`), text);
        assert.equal(outcome(`<a b="&${entity};"/>`), Object.hasOwn(known, entity) ? '' : 'MalformedXML');
      }),
    );
  });

  test('refers by number to every character that XML has, and to no other', () => {
    const code = fc.oneof(fc.nat(0x11_0100), fc.nat(0x100), fc.integer({ min: 0xd700, max: 0xe100 }), fc.nat());
    fc.assert(
      fc.property(code, (number) => {
        const character = number <= 0x10_ffff ? String.fromCodePoint(number) : '';
        const text =
          character.isWellFormed() && character !== '' && isSpeakable(character) ? character : 'MalformedXML';
        assert.equal(outcome(`<a>&#${number};</a>`), text);
        assert.equal(outcome(`<a>&#x${number.toString(16)};</a>`), text);
        assert.equal(outcome(`<a>&#x${number.toString(16).toUpperCase().padStart(6, '0')};</a>`), text);
      }),
      { numRuns: 1_000 },
    );
  });

  test('has 32 levels at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.boolean(), (depth, isOpen) => {
        const deep = '<a>'.repeat(depth) + (isOpen ? '' : '</a>'.repeat(depth));
        const isRead = depth <= 32 && !isOpen;
        assert.equal(outcome(deep), isRead ? (depth === 1 ? '' : '(elements)') : 'MalformedXML', `${depth}`);
      }),
    );
  });

  test('costs time in proportion to its length, whatever it repeats', () => {
    const frames = [
      ['', ''],
      ['<r>', '</r>'],
      ['<r ', '/>'],
      ['<r a="', '"/>'],
      ['<r><!--', '--></r>'],
    ] as const;
    for (const piece of markup) {
      for (const [start, end] of frames) {
        const startedMs = performance.now();
        outcome(start + piece.repeat(Math.ceil(32_768 / piece.length)) + end);
        const tookMs = performance.now() - startedMs;
        // Some ten milliseconds; what grew with the square of the length would take minutes.
        assert.ok(tookMs < 15_000, `${start}${piece}…${end} takes ${tookMs} ms`);
      }
    }
  });

  test('of more tags and attributes than any document has is refused before it is parsed', () => {
    for (const piece of ['<a/>', '<a b="1"/>', '<a></a>']) {
      const text = `<r>${piece.repeat(1_000_000)}</r>`;
      const startedMs = performance.now();
      assert.equal(outcome(text), 'MalformedXML');
      assert.ok(performance.now() - startedMs < 15_000, piece);
    }
    const part = `<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>`;
    assert.equal(outcome(`<r>${part.repeat(10_000)}</r>`), '(elements)');
  });
});
