/** The OpenAPI document as a page to read: one file, without script and without anything from elsewhere. MISSION M15 */
import type { DescribedRoute, JsonSchema } from '../../standards/openapi/document.ts';

/** HTML, whole. */
export function openApiPage(routes: readonly DescribedRoute[], title: string): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const sections = tags.map(
    (tag) =>
      `<section id="${slug(tag)}"><h2>${text(tag)}</h2>${routes
        .filter((route) => route.tag === tag)
        .map(routeHtml)
        .join('')}</section>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(title)}</title>
<style>${STYLE}</style></head><body><header><h1>${text(title)}</h1>
<p>The same as <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are <code>application/problem+json</code> with a code per rule.</p>
<nav aria-label="Parts"><ul>${tags.map((tag) => `<li><a href="#${slug(tag)}">${text(tag)}</a></li>`).join('')}</ul></nav></header>
<main>${sections.join('\n')}</main></body></html>
`;
}

/** As a header: nothing but the page's own style. */
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

function routeHtml(route: DescribedRoute): string {
  const { method, path, summary, rights, request, answers, problems = [] } = route;
  const needs = rights === 'anonymous' ? 'no token needed' : rights.join(', ');
  return `<details><summary><b class="${method}">${method}</b> <code>${text(path)}</code> <span>${text(summary)}</span></summary>
<p>Who: ${text(needs)}</p>${schemaHtml('Query', request?.query)}${schemaHtml('Body', request?.body)}
<table><thead><tr><th scope="col">Status</th><th scope="col">Answer</th></tr></thead><tbody>${Object.entries(answers)
    .map(([status, { about }]) => `<tr><td>${text(status)}</td><td>${text(about)}</td></tr>`)
    .join(
      '',
    )}</tbody></table>${problems.length > 0 ? `<p>Codes: ${problems.map((code) => `<code>${text(code)}</code>`).join(' ')}</p>` : ''}</details>
`;
}

const schemaHtml = (name: string, schema: JsonSchema | undefined): string =>
  schema ? `<h3>${name}</h3><pre>${text(JSON.stringify(schema, undefined, 2))}</pre>` : '';

const slug = (tag: string): string => tag.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

const text = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#212b32;background:#fff}
a{color:#005eb8}h2{border-bottom:1px solid #aeb7bd}nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0}
details{border:1px solid #d8dde0;border-radius:4px;margin:.5rem 0;padding:.5rem .75rem}summary{cursor:pointer}
summary b{display:inline-block;min-width:4.5rem;color:#005eb8}summary span{color:#425563}code,pre{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:#f0f4f5;padding:.5rem;white-space:pre-wrap}table{border-collapse:collapse}td,th{border:1px solid #d8dde0;padding:.25rem .5rem;text-align:left}`;
