import fastify from 'fastify';
import { volumeSchema } from '../../src/volumes/contract.ts';

// The peer of `GET /volumes/{v}`: the same body through the same framework and schema, from memory.
const app = fastify();
const body = JSON.parse(process.argv[2]!) as Record<string, unknown>;
app.get('/api/v1/volumes/:volume', { schema: { response: { 200: volumeSchema } } }, () => body);
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('SIGTERM', () => process.exit(0));
