import { expect } from 'chai';
import { formatBundle, PAGE_LENGTH_MAX } from '../../src/rest/answers.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';

describe('formatBundle', () => {
  it('puts texts together as they are', () => {
    const links = [{ relation: 'self', url: 'http://a/b?c="d"' }];
    const text = formatBundle('searchset', links, 2, ['{"resource":1.00}', '{"resource":2}']);
    expect(text).equal(
      '{"resourceType":"Bundle","type":"searchset","total":2,"link":[{"relation":"self","url":"http://a/b?c=\\"d\\""}],"entry":[{"resource":1.00},{"resource":2}]}',
    );
    expect(JSON.parse(formatBundle('history', links, undefined, []))).not.have.any.keys('entry', 'total');
  });

  it('[IN-01] refuses a page that no client should get: 400, not a fault of ours', () => {
    const entry = 'x'.repeat(PAGE_LENGTH_MAX / 16);
    const of = (count: number): string => formatBundle('searchset', [], undefined, new Array(count).fill(entry));
    expect(of(16).length).greaterThan(PAGE_LENGTH_MAX);
    expect(() => of(17))
      .throws(FhirError)
      .that.nested.includes({ status: 400, 'issues[0].code': 'too-costly' });
  });
});
