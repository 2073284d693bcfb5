// GET /: what runs here and how to call it. One static page without scripts or outside files.

import type { FastifyInstance } from 'fastify';

import type { Engine, ModelFacts } from '../../engine/engine.js';

const policy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function rootPage(app: FastifyInstance, engine: Engine): void {
  app.get('/', (request, reply) => {
    const address = `http://${request.headers.host ?? 'localhost'}`;
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', policy)
      .header('x-content-type-options', 'nosniff')
      .send(page(engine.model, address));
  });
}

function page(model: ModelFacts, address: string): string {
  const chat = `curl ${address}/v1/chat/completions -H 'content-type: application/json' -d '{
  "messages": [{ "role": "user", "content": [
    { "type": "text", "text": "What is in this picture?" },
    { "type": "image_url", "image_url": { "url": "data:image/png;base64,'"$(base64 -w0 picture.png)"'" } }
  ] }],
  "max_tokens": 100
}'`;
  const draw = `curl ${address}/v1/images/generations -H 'content-type: application/json' \\
  -d '{ "prompt": "a lighthouse at dusk", "output_format": "png" }' | jq -r '.data[0].b64_json' | base64 -d > drawing.png`;
  const rows = [
    ['Model', model.name],
    ['Device', `${model.device}, ${model.dtype}`],
    ['Context', `${model.contextLength} tokens`],
    ['Drawings', `${model.imageSize} × ${model.imageSize} pixels`],
  ];
  const table = rows.map(([name = '', value = '']) => `<tr><th scope="row">${name}<td>${escapeHtml(value)}`).join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Limen</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
pre{overflow:auto;padding:1rem;border:1px solid #8888;border-radius:6px;font-size:13px}th{text-align:left;padding-right:2rem}</style>
<h1>Limen is running</h1>
<p>Describes pictures in words and draws pictures from words, through OpenAI's API. Any OpenAI client works with the base
address <code>${escapeHtml(address)}/v1</code>.</p>
<table>${table}</table>
<h2>Describe a picture</h2><pre>${escapeHtml(chat)}</pre>
<h2>Draw a picture</h2><pre>${escapeHtml(draw)}</pre>
<h2>Addresses</h2>
<ul><li>POST /v1/chat/completions<li>POST /v1/images/generations<li>GET /v1/models<li>GET /health, /health/live, /health/ready</ul>
<p>If the server was started with a key, add <code>-H 'authorization: Bearer KEY'</code>.</p></html>`;
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}
