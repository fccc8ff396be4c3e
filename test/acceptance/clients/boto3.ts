import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { ClientHome } from './client-home.ts';
import { type Client, step } from './client.ts';
import { writeLarge } from './samples.ts';
import { startTlsFront } from './tls-front.ts';
import { tools } from '../../support/s3-clients.ts';

const script = join(import.meta.dirname, 'boto3-journey.py');

/** Runs one chapter of the script, which must come to its end. */
async function chapter(
  home: ClientHome,
  name: string,
  { endpoint = home.endpoint, certificate = '' }: { readonly endpoint?: string; readonly certificate?: string } = {},
): Promise<void> {
  const env = {
    AWS_ACCESS_KEY_ID: home.credentials.accessKey,
    AWS_SECRET_ACCESS_KEY: home.credentials.secret,
    AWS_DEFAULT_REGION: home.credentials.region,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(certificate === '' ? {} : { AWS_CA_BUNDLE: certificate }),
  };
  const { stdout } = await home.succeeds([script, name, endpoint], { env });
  assert.equal(stdout.toString(), `${name}: done\n`);
}

export const boto3Client: Client = {
  tool: tools.boto3,
  needs: [tools.boto3, tools.openssl],
  steps: [
    step('makes buckets and waits for them', async (home) => {
      await chapter(home, 'buckets');
      for (const bucket of ['with-boto3', 'with-boto3-versions', 'with-boto3-lock']) await home.makeSafe(bucket);
    }),
    step('puts and gets small objects with all that describes them', (home) => chapter(home, 'objects')),
    step('puts a large object in parts, by several threads, and gets and copies it', async (home) => {
      await writeLarge(home.path('large'), 15);
      await chapter(home, 'large');
    }),
    step('pages through listings', (home) => chapter(home, 'listings')),
    step('is told what is wrong as by AWS', (home) => chapter(home, 'errors')),
    step('sends each checksum as a header, and gets it back', (home) => chapter(home, 'checksums')),
    step('sends each checksum after the body, by HTTPS', async (home) => {
      await using front = await startTlsFront(home.endpoint, home.directory);
      await chapter(home, 'checksums', { endpoint: front.url, certificate: front.certificate });
    }),
    step('presigns addresses and a form that anybody can use', (home) => chapter(home, 'presigned')),
    step('keeps versions, tags and locks', (home) => chapter(home, 'versions')),
    step('configures a bucket', (home) => chapter(home, 'configuration')),
  ],
  lastSteps: [step('removes every version and the buckets', (home) => chapter(home, 'removal'))],
};
