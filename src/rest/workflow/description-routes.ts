/** What the workflow APIs say of themselves: `/openapi.json` and a page. MISSION principle 3, M15 */
import { type DocumentOptions, openApiDocument } from '../../standards/openapi/document.ts';
import { openApiPage, PAGE_POLICY } from './openapi-page.ts';
import type { WorkflowRoute } from './route.ts';

/** The routes that describe all others, themselves included; the document is made once. */
export function withDescription(routes: readonly WorkflowRoute[], options: DocumentOptions): readonly WorkflowRoute[] {
  const own = { tag: 'Description', rights: 'anonymous', kind: 'read', isUntold: true } as const;
  const described: WorkflowRoute[] = [
    ...routes,
    {
      ...own,
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document, as JSON',
      told: 'openapi',
      answers: { 200: { about: 'OpenAPI 3.1', schema: { type: 'object' } } },
      handle: async () => ({ status: 200, content: json(), headers: CACHED }),
    },
    {
      ...own,
      method: 'GET',
      path: '/openapi',
      summary: 'This document, as a page',
      told: 'openapi',
      answers: { 200: { about: 'A page', schema: { type: 'string' }, mediaType: 'text/html' } },
      handle: async () => ({
        status: 200,
        content: page(),
        mediaType: 'text/html; charset=utf-8',
        headers: { ...CACHED, 'Content-Security-Policy': PAGE_POLICY },
      }),
    },
  ];
  const json = once(() => `${JSON.stringify(openApiDocument(described, options))}\n`);
  const page = once(() => openApiPage(described, options.title));
  return described;
}

const CACHED = { 'Cache-Control': 'public, max-age=300' };

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
