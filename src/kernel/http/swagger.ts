import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';

/** The only files that are served; nothing of a request becomes a path. */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Holdfast API</title><link rel="stylesheet" href="./swagger-ui.css"></head>
<body><div id="ui"></div><script src="./swagger-ui-bundle.js"></script><script src="./start.js"></script></body>
</html>
`;
const start = `SwaggerUIBundle({ url: '/api/v1/openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null });\n`;
const policy = `default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'`;

/** The API document as a page to read and try, at `/swagger/index.html`. Its files come from a package, not the internet. */
export function serveSwagger(app: FastifyInstance): void {
  const config = { operation: 'swagger' };
  const send = (path: string, type: string, content: () => Promise<string> | string) =>
    app.get(path, { config }, async (_request, reply) =>
      reply
        .type(type)
        .header('content-security-policy', policy)
        .header('x-content-type-options', 'nosniff')
        .send(await content()),
    );
  app.get('/swagger', { config }, (_request, reply) => reply.redirect('/swagger/index.html'));
  send('/swagger/index.html', 'text/html; charset=utf-8', () => page);
  send('/swagger/start.js', 'text/javascript; charset=utf-8', () => start);
  for (const [name, type] of Object.entries(assets)) {
    send(`/swagger/${name}`, type, () => readFile(join(assetDirectory(), name), 'utf8'));
  }
}

function assetDirectory(): string {
  const manifest = createRequire(import.meta.url).resolve('@fastify/swagger-ui/package.json');
  return join(dirname(manifest), 'static');
}
