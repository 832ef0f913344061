'use strict';
(() => {
  const root = document.documentElement;
  const $ = id => document.getElementById(id);
  // How many rows are made at once: the first screens, and as many more when their end is near.
  const CHUNK = 60;
  root.classList.add('js');

  const theme = $('theme');
  const store = f => { try { return f(localStorage); } catch { return null; } };
  const setTheme = name => {
    if (name) root.dataset.theme = name; else delete root.dataset.theme;
    theme.textContent = 'Theme: ' + (name || 'auto');
  };
  setTheme(store(s => s.getItem('frazil-theme')));
  theme.hidden = false;
  theme.onclick = () => {
    const next = { '': 'light', light: 'dark', dark: '' }[root.dataset.theme || ''];
    setTheme(next);
    store(s => s.setItem('frazil-theme', next));
  };

  if (!$('summary')) return;
  const summary = JSON.parse($('summary').textContent);
  const tools = $('tools');
  tools.hidden = false;
  tools.onsubmit = e => e.preventDefault();

  // The rows of a slice: records to sort and search, and their markup, made when it is needed.
  const slices = [];
  const load = s => slices[s] ??= {
    records: summary.slices[s].features,
    lines: $('rows-' + s).textContent.split('\n'),
    nodes: [],
  };
  const whole = text => text.replace(/[\x01-\x1f]/g, c => summary.phrases[c] ?? c);
  const mould = document.createElement('template');
  const make = (html) => { mould.innerHTML = html; return mould.content.firstChild; };
  const row = (slice, i) => slice.nodes[i] ??= make('<table>' + whole(slice.lines[i].split('\t')[0])).firstChild;

  const tables = [...document.querySelectorAll('table.features')].map(table => {
    const end = document.createElement('div');
    table.parentElement.after(end);
    return { table, end, kind: table.dataset.kind, order: [], shown: 0 };
  });
  const state = { q: '', show: 'all', sort: '', slice: 0 };

  const slice0 = summary.slices.length ? load(0) : { records: [], lines: [], nodes: [] };
  for (const { table } of tables)
    for (const body of table.tBodies) slice0.nodes[body.id.split('-')[1]] = body;

  const value = (kind, key) => {
    if (key === 'name') return r => r.name;
    if (key === 'ratio') return r => r.ratio ?? null;
    const column = summary.columns[kind].indexOf(key);
    return column < 0 ? null
      : r => { const v = r.values[summary.current] ?? r.values.find(v => v); return v?.[column] ?? null; };
  };
  const wanted = () => {
    const q = state.q.trim();
    let matches = () => true;
    const regex = /^\/(.+?)\/?$/.exec(q);
    if (regex) {
      try { const r = new RegExp(regex[1], 'i'); matches = name => r.test(name); }
      catch { matches = () => false; }
    } else if (q) {
      const words = q.toLowerCase().split(/\s+/);
      matches = name => { const n = name.toLowerCase(); return words.every(w => n.includes(w)); };
    }
    const shows = {
      all: () => true,
      anomalies: r => r.anomaly,
      drift: r => r.ratio > 1,
      missing: r => r.values[summary.current]?.[1] > 0,
    }[state.show] ?? (() => true);
    return r => shows(r) && matches(r.name);
  };
  const grow = (t, n) => {
    const slice = load(state.slice);
    const more = document.createDocumentFragment();
    const to = Math.min(t.order.length, n);
    for (; t.shown < to; t.shown++) more.append(row(slice, t.order[t.shown]));
    t.table.append(more);
  };
  const near = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      const t = tables.find(t => t.end === entry.target);
      grow(t, t.shown + CHUNK);
      watch(t);
    }
  }, { rootMargin: '1200px' });
  // An observer speaks when it is set, so the end is looked at anew after every change.
  const watch = t => { near.unobserve(t.end); if (t.shown < t.order.length) near.observe(t.end); };
  const apply = () => {
    const slice = summary.slices.length ? load(state.slice) : slice0;
    const want = wanted();
    const down = state.sort.startsWith('-');
    const key = state.sort.slice(down ? 1 : 0);
    let found = 0;
    for (const t of tables) {
      const order = [];
      slice.records.forEach((r, i) => { if (r.kind === t.kind && want(r)) order.push(i); });
      const get = key && value(t.kind, key);
      if (get) {
        const values = slice.records.map(get);
        const sign = down ? -1 : 1;
        order.sort((a, b) => {
          const [x, y] = [values[a], values[b]];
          // What has no value comes last, whichever way.
          if (x === null || y === null) return (x === null) - (y === null) || a - b;
          return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
        });
      }
      for (const th of t.table.tHead.querySelectorAll('[data-sort]')) {
        const is = th.dataset.sort === key;
        th.setAttribute('aria-sort', is ? (down ? 'descending' : 'ascending') : 'none');
      }
      t.order = order;
      t.shown = 0;
      for (const body of [...t.table.tBodies]) body.remove();
      grow(t, CHUNK);
      watch(t);
      $('n-' + t.kind).textContent = order.length.toLocaleString('en');
      t.table.closest('.part').hidden = !order.length;
      found += order.length;
    }
    const all = slice.records.length;
    $('found').textContent = found === all ? `${all.toLocaleString('en')} features`
      : `${found.toLocaleString('en')} of ${all.toLocaleString('en')} features`;
  };
  const remember = () => {
    const given = Object.entries(state).filter(([k, v]) => v && !(k === 'show' && v === 'all'));
    const hash = new URLSearchParams(given.map(([k, v]) => [k, String(v)])).toString();
    try { history.replaceState(null, '', hash ? '#' + hash : location.pathname); } catch { /* a sandbox */ }
  };
  const change = changes => { Object.assign(state, changes); apply(); remember(); };

  const q = $('q');
  let waiting = 0;
  q.oninput = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => change({ q: q.value })); };
  $('show').onchange = e => change({ show: e.target.value });
  if ($('slice')) $('slice').onchange = e => change({ slice: +e.target.value });
  document.addEventListener('keydown', e => {
    if (e.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) { e.preventDefault(); q.focus(); }
    if (e.key === 'Escape' && e.target === q) { q.value = ''; change({ q: '' }); }
  });

  const open = (body, is) => {
    const button = body.querySelector('button');
    button.setAttribute('aria-expanded', is);
    body.querySelector('.detail')?.remove();
    if (!is) return;
    const [s, i] = body.id.slice(1).split('-');
    const columns = body.closest('table').tHead.rows[0].cells.length;
    const detail = make(`<table><tbody><tr class=detail><td colspan=${columns}><div></div>`)
      .querySelector('tr');
    const place = detail.querySelector('div');
    const chart = body.querySelector('.c');
    if (chart?.firstChild) {
      const big = document.createElement('div');
      big.className = 'big';
      big.append(...[...chart.childNodes].map(n => n.cloneNode(true)));
      place.append(big);
    }
    mould.innerHTML = whole(load(+s).lines[i].split('\t')[1]);
    place.append(mould.content);
    body.append(detail);
  };
  for (const t of tables) t.table.addEventListener('click', e => {
    const button = e.target.closest('button');
    if (!button) return;
    const th = button.closest('th[data-sort]');
    if (th) {
      const key = th.dataset.sort;
      // Names begin at A, numbers with the largest; a third click takes the order back.
      const steps = key === 'name' ? ['name', '-name', ''] : ['-' + key, key, ''];
      change({ sort: steps[(steps.indexOf(state.sort) + 1) % 3] });
    } else {
      open(button.closest('tbody'), button.getAttribute('aria-expanded') !== 'true');
    }
  });

  // A link to a feature: its row is made, shown and opened.
  const visit = () => {
    const hash = location.hash.slice(1);
    const place = /^f(\d+)-(\d+)$/.exec(hash);
    if (place) {
      const [s, i] = [+place[1], +place[2]];
      const record = summary.slices[s]?.features[i];
      if (!record) return;
      const t = tables.find(t => t.kind === record.kind);
      if (state.slice !== s || !t.order.includes(i)) {
        Object.assign(state, { q: '', show: 'all', slice: s });
        q.value = '';
        $('show').value = 'all';
        if ($('slice')) $('slice').value = s;
        apply();
      }
      grow(t, t.order.indexOf(i) + 1);
      const body = row(load(s), i);
      open(body, true);
      body.scrollIntoView();
      body.querySelector('button').focus({ preventScroll: true });
      return;
    }
    const given = new URLSearchParams(hash);
    if (![...given.keys()].some(k => k in state)) return;
    state.q = q.value = given.get('q') ?? '';
    state.sort = given.get('sort') ?? '';
    state.show = given.get('show') ?? 'all';
    state.slice = summary.slices[+given.get('slice')] ? +given.get('slice') : 0;
    $('show').value = state.show;
    if ($('slice')) $('slice').value = state.slice;
    apply();
  };
  apply();
  visit();
  addEventListener('hashchange', visit);
  root.dataset.ready = '';
})();
