/** Errors of the workflow APIs. RFC 9457: `application/problem+json`, with a code per rule. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { type FhirError, type Issue, isError, textOf } from '../../standards/fhir/outcome.ts';

const PROBLEM_JSON = 'application/problem+json; charset=utf-8';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly errors?: readonly { readonly code: string; readonly detail: string; readonly at?: string }[];
  readonly correlation_id: string;
}

/** The rule's code where an issue carries one, else the code of the issue. */
const codeOf = ({ details, code }: Issue): string => details?.coding[0]?.code ?? code;

/** The first issue in front, all of them below where there are several. */
export function problemOf({ status, issues }: FhirError, correlationId: string): Problem {
  const errors = issues.filter(isError);
  const [first] = errors.length > 0 ? errors : issues;
  const code = first ? codeOf(first) : 'exception';
  const isTold = errors.length > 1 || errors.some(({ expression }) => expression !== undefined);
  return {
    type: `urn:mortar:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: first ? textOf(first) : 'The request failed',
    code,
    ...(isTold && {
      errors: errors.map((one) => ({
        code: codeOf(one),
        detail: textOf(one),
        ...(one.expression?.[0] !== undefined && { at: one.expression[0] }),
      })),
    }),
    correlation_id: correlationId,
  };
}

/** Does nothing once the answer has begun. */
export function sendProblem(res: ServerResponse, error: FhirError, correlationId: string): void {
  if (res.headersSent) return void res.destroy(); // half an answer must not look like a whole one
  const body = `${JSON.stringify(problemOf(error, correlationId))}\n`;
  res.writeHead(error.status, {
    ...error.headers,
    'Content-Type': PROBLEM_JSON,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(body);
}
