import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { s3CodeOf } from '../../errors.ts';
import type { XmlElement } from '../command.ts';
import { escapeXml, isSpeakable } from './escape.ts';
import { parseXml } from './reader.ts';
import { leaf, tag, writeDocument, writeRoot } from './writer.ts';

function refusal(text: string): unknown {
  try {
    parseXml(text);
  } catch (error) {
    return error;
  }
  return null;
}

describe('reading XML', () => {
  test('keeps white space, references and character data of a key, and drops namespaces', () => {
    const text =
      '\ufeff<?xml version="1.0"?>\n<x:Delete xmlns:x="urn:x">\n <x:Object><Key> a &amp;&#x41;&#66;<![CDATA[<&amp;]]>&#13; </Key></x:Object>\n' +
      '<!-- <!DOCTYPE a> --><Quiet/></x:Delete>\n';
    assert.deepEqual(parseXml(text), {
      name: 'Delete',
      children: [
        { name: 'Object', children: [{ name: 'Key', text: ' a &AB<&amp;\r ' }] },
        { name: 'Quiet', text: '' },
      ],
    });
  });

  test('keeps attributes', () => {
    const text = '<Grantee xmlns:xsi="urn:x" xsi:type="Group" b="&lt;"/>';
    assert.deepEqual(parseXml(text), { name: 'Grantee', attributes: { type: 'Group', b: '<' }, text: '' });
  });

  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['text alone', 'hello'],
    ['an element that does not end', '<a>'],
    ['elements that cross', '<a><b></a></b>'],
    ['two roots', '<a/><b/>'],
    ['text after the root', '<a/>x'],
    ['text beside elements', '<a>x<b/></a>'],
    ['a bare ampersand', '<a>&</a>'],
    ['an unknown entity', '<a>&nbsp;</a>'],
    ['a reference without its end', '<a>&#65</a>'],
    ['a reference to nothing', '<a>&#x110000;</a>'],
    ['a reference to half a pair', '<a>&#xD800;</a>'],
    ['a reference to a control character', '<a>&#1;</a>'],
    ['a control character', '<a>\u0001</a>'],
    ['a doubled attribute', '<a b="1" b="2"/>'],
    ['a comment without end', '<a><!-- </a>'],
    ['a document type', '<!DOCTYPE a><a/>'],
    ['an entity of its own', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['an external entity', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'],
    ['a document type after a comment', '<!-- --><!doctype a><a/>'],
    ['a name that programs would stumble over', '<a><__proto__>x</__proto__></a>'],
    ['more levels than any document has', '<a>'.repeat(40) + '</a>'.repeat(40)],
    ['endless levels', '<a>'.repeat(50_000)],
  ];
  for (const [what, text] of refused) {
    test(`refuses ${what}`, () => {
      const error = refusal(text);
      assert.ok(error instanceof HoldfastError, String(error));
      assert.equal(s3CodeOf(error), 'MalformedXML');
    });
  }

  test('refuses a bomb of entities at once', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`);
    const bomb = `<!DOCTYPE b [<!ENTITY l0 "lol">${levels.join('')}]><b>&l12;</b>`;
    assert.equal(s3CodeOf(refusal(bomb)), 'MalformedXML');
  });

  test('throws nothing but MalformedXML, whatever comes', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '</',
      '/>',
      '<a',
      '<a>',
      '</a>',
      '<!',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '&',
      ';',
      '&amp;',
      '&#',
      'x',
      ' ',
      '"',
      '=',
      '<?',
      '?>',
      'constructor',
      '\u0000',
      '\ud800',
    );
    const soup = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(soup, (text) => {
        const error = refusal(text);
        return error === null || s3CodeOf(error) === 'MalformedXML';
      }),
      { numRuns: 3_000 },
    );
  });
});

const speakable = fc.string({ unit: 'binary' }).filter(isSpeakable);
const elementName = fc.constantFrom('Key', 'Prefix', 'Tag', 'Rule');
const tree: fc.Arbitrary<XmlElement> = fc.letrec<{ element: XmlElement }>((tie) => ({
  element: fc.oneof(
    { depthSize: 'small' },
    fc.record({ name: elementName, text: speakable }),
    fc.record({ name: elementName, children: fc.array(tie('element'), { minLength: 1, maxLength: 4 }) }),
  ),
})).element;

/** As a reader sees it: line ends are normalised unless they were references (which ours are for `\r`). */
function plain({ name, text, children }: XmlElement): unknown {
  return children === undefined ? { name, text: text ?? '' } : { name, children: children.map(plain) };
}

describe('writing XML', () => {
  test('gives what reading gives back', () => {
    fc.assert(
      fc.property(tree, (element) => assert.deepEqual(plain(parseXml(writeDocument(element))), plain(element))),
    );
  });

  test('escapes, and replaces what XML cannot carry', () => {
    assert.equal(escapeXml('a<b>&"\r\n\t\u0000\uffff\ud800é😀'), 'a&lt;b&gt;&amp;&quot;&#13;\n\t\ufffd\ufffd\ufffdé😀');
    assert.equal(
      tag('Size', 12) + tag('Key', '&') + tag('IsTruncated', false),
      '<Size>12</Size><Key>&amp;</Key><IsTruncated>false</IsTruncated>',
    );
  });

  test('names the namespace at the root alone', () => {
    const root = { name: 'A', children: [leaf('B', 'x'), leaf('C', '')] };
    assert.equal(writeRoot(root), '<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><B>x</B><C/></A>');
    assert.equal(writeRoot({ name: 'A', attributes: { xmlns: 'urn:"' } }), '<A xmlns="urn:&quot;"/>');
  });
});
