/** What is searched by words follows the setting. docs/fhir.md */
import { expect } from 'chai';
import { createDatabase } from '../support/database.ts';
import { openPolicyStore, parameters, parametersOfAll, parseQuery, ROOT } from '../support/policy-store.ts';

describe('postgres › full text', () => {
  it('after a change of the setting what is stored is found by it, and no more', async () => {
    const database = await createDatabase();
    const cares = {
      resourceType: 'Basic',
      id: 'b',
      code: { text: 'Quokka' },
      text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Wombat</div>' },
    };
    const narrative = await openPolicyStore({ database, parameters });
    await narrative.put(cares);
    expect(await narrative.ids(ROOT, 'Basic?_text=wombat')).deep.equal(['b']);
    await narrative.stop();

    const all = await openPolicyStore({ database, parameters: parametersOfAll });
    expect(await all.store.reindex.run()).equal('done');
    expect(await all.ids(ROOT, 'Basic?_content=quokka wombat')).deep.equal(['b']);
    expect(await all.ids(ROOT, 'Basic?_text=quokka')).deep.equal([]);
    await all.stop();

    const again = await openPolicyStore({ database, parameters: parametersOfAll });
    expect(await again.store.reindex.run()).equal('nothing');
    await again.stop();

    const { fullText: _none, ...off } = parameters;
    const without = await openPolicyStore({ database, parameters: off });
    expect(await without.store.reindex.run()).equal('done');
    const request = { ...parseQuery('Basic', ''), conditions: parseQuery('Basic', '_text=wombat').conditions };
    expect((await without.store.search(ROOT, request)).matches).deep.equal([]);
    await without.stop();
    await database.drop();
  });
});
