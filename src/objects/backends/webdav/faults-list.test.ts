import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BlobPage } from '../backend.ts';
import { pathOfKey } from '../remote-tree/key-path.ts';
import { type Peer, isError, listed, listing, multistatus, peer, soon } from './testkit.ts';

const self = listed('/dav/blobs/', null);

function list({ backend }: Peer, limit = 1000): Promise<BlobPage> {
  return backend.list({ prefix: '', limit }, soon());
}

/** A server that lists the root of the blobs with this text. */
function lister(xml: string): Promise<Peer> {
  return peer({ PROPFIND: (_, response) => multistatus(response, xml) });
}

function hrefOf(key: string): string {
  return `/dav/blobs/${pathOfKey(key).join('/')}`;
}

const laughs = Array.from({ length: 9 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join('');

const garbage: Readonly<Record<string, string>> = {
  'no XML': 'It works!',
  nothing: '',
  'a page of HTML': '<!DOCTYPE html><html><body><p>Index of /dav<br></body></html>',
  'another document': '<?xml version="1.0"?><error xmlns="DAV:"/>',
  'a listing that breaks off': listing(self, listed('/dav/blobs/a_b')).slice(0, -20),
  'a listing that breaks off between its entries': `<?xml version="1.0"?><multistatus xmlns="DAV:">${self}`,
  'XML that is not well-formed': listing(self, '<response><href>/dav/blobs/a_b</propstat></href></response>'),
  'a document type': `<!DOCTYPE multistatus SYSTEM "http://127.0.0.1/evil.dtd">${listing(self)}`,
  'an external entity': `<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>${listing(listed('/dav/blobs/&x;'))}`,
  'an XML bomb': `<!DOCTYPE m [<!ENTITY l0 "ha">${laughs}]>${listing(listed('/dav/blobs/&l9;'))}`,
  'a document type within an entry': listing(self, `<!DOCTYPE m [<!ENTITY x "y">]>${listed('/dav/blobs/&x;')}`),
  'an entry without a name': listing(self, listed('')),
  'an entry without end': `<multistatus xmlns="DAV:"><response><href>${'x'.repeat(400_000)}`,
  'an entry that is nested too deeply': listing(
    self,
    `<response>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</response>`,
  ),
  'an entry of another namespace': listing(self).replace('DAV:', 'urn:other'),
  'bytes that are not UTF-8': `${listing(self).slice(0, -14)}<x>\u00FF</x></multistatus>`,
  'a file of another server and path': listing(self, listed('http://evil.example/etc/passwd')),
  'a file outside of its directory': listing(self, listed('/dav/other/a_b')),
  'a file above its directory': listing(self, listed('/dav/blobs/../../etc/passwd')),
  'a file above it in disguise': listing(self, listed('/dav/blobs/%2e%2e/x')),
  'a file deeper than its directory': listing(self, listed('/dav/blobs/a_d/b_b')),
  'a slash in disguise': listing(self, listed('/dav/blobs/a%2Fb_b')),
  'a name that does not decode': listing(self, listed('/dav/blobs/%FF')),
};

describe('webdav: listings that lie or break', () => {
  for (const [what, xml] of Object.entries(garbage)) {
    it(`failure 10: refuses ${what}, and takes nothing from it`, async () => {
      const isBinary = xml.includes('\u00FF');
      await using server = await peer({
        PROPFIND: (_, response) => void response.writeHead(207).end(Buffer.from(xml, isBinary ? 'latin1' : 'utf8')),
      });
      await assert.rejects(list(server), isError('backend', { reason: 'garbage' }));
    });
  }

  it('failure 14: takes a listing whose connection breaks for an error, not for a short one', async () => {
    const xml = listing(self, listed('/dav/blobs/a_b'));
    await using server = await peer({
      PROPFIND: (_, response) => {
        response.writeHead(207, { 'content-length': String(xml.length + 100) });
        response.write(xml, () => response.destroy());
      },
    });
    await assert.rejects(list(server), isError('backend'));
  });

  it('reads any prefix of DAV:, absolute URLs, encoded names, comments and character data', async () => {
    const properties = `<A:resourcetype/><A:getcontentlength> 7 </A:getcontentlength>`;
    const xml = `<?xml version="1.0"?><!-- a listing --><A:multistatus xmlns:A="DAV:" xmlns:B="urn:x">
      <A:response xmlns:q="DAV:"><q:href>http://inside:8080/dav/blobs</q:href><A:propstat><A:prop><A:resourcetype>
        <q:collection/></A:resourcetype></A:prop><A:status>HTTP/1.1 200 OK</A:status></A:propstat></A:response>
      <A:response><A:href>http://inside:8080/dav/blobs/%61%5Fb</A:href>
        <A:propstat><A:prop><B:getcontentlength>99</B:getcontentlength>${properties}</A:prop>
          <A:status>HTTP/1.1 200 OK</A:status></A:propstat>
        <A:propstat><A:prop><A:getcontentlength>5</A:getcontentlength></A:prop>
          <A:status>HTTP/1.1 404 Not Found</A:status></A:propstat></A:response>
      <A:response><A:href><![CDATA[/dav/blobs/c_b]]></A:href><A:propstat><A:prop>${properties}</A:prop>
        <A:status>HTTP/1.1 200 OK</A:status></A:propstat></A:response>
      <A:response><A:href>/dav/blobs/gone_b</A:href><A:status>HTTP/1.1 404 Not Found</A:status></A:response>
      </A:multistatus>`;
    await using server = await lister(xml);
    const { blobs } = await list(server);
    assert.deepEqual(
      blobs.map(({ key, sizeBytes }) => [key, sizeBytes]),
      [
        ['a', 7],
        ['c', 7],
      ],
    );
  });

  it('passes over what is not ours: files of strangers, and names that only look like ours', async () => {
    const strangers = ['.htaccess', 'Thumbs.db', 'a_b.bak', 'A_b', '_zz_b', '_41', '_61_b', `${'x'.repeat(250)}_b`];
    const responses = strangers.map((name) => listed(`/dav/blobs/${name}`));
    const looks = [
      listed('/dav/blobs/file_d', 5),
      listed('/dav/blobs/short_m/', null),
      listed('/dav/blobs/dir_b/', null),
    ];
    await using server = await lister(listing(self, ...responses, ...looks, listed(hrefOf('ours'))));
    assert.deepEqual(
      (await list(server)).blobs.map(({ key }) => key),
      ['ours'],
    );
  });

  it('failure 10: puts a directory in the order of bytes that comes in any order, keeping only a page of it', async () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `k${(index * 7919) % 5000}é`);
    await using server = await lister(listing(...keys.map((key) => listed(hrefOf(key))), self));
    const ordered = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const page = await server.backend.list({ prefix: 'k', after: ordered[99]!, limit: 7 }, soon());
    assert.deepEqual(
      page.blobs.map(({ key }) => key),
      ordered.slice(100, 107),
    );
    assert.equal(page.isTruncated, true);
  });

  it('reads a directory again when the first names that it kept held nothing', async () => {
    const empty = Array.from({ length: 30 }, (_, index) => listed(`/dav/blobs/a${index}_d/`, null));
    const root = listing(self, ...empty, listed(hrefOf('z')));
    await using server = await peer({
      PROPFIND: (request, response) => {
        const isRoot = request.url === '/dav/blobs/';
        multistatus(response, isRoot ? root : listing(listed(request.url ?? '', null)));
      },
    });
    const page = await list(server, 1);
    assert.deepEqual([page.blobs.map(({ key }) => key), page.isTruncated], [['z'], false]);
  });
});
