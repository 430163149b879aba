// The publisher's side: three ad units, one auction by Prebid.js's server adapter, and a place for each winner.
// SETTINGS (settings.js, made by whoever serves this page) says where the exchange is and who hears the result.
'use strict';

const NATIVE = {
  ver: '1.2',
  assets: [
    {id: 1, required: 1, title: {len: 60}},
    {id: 2, required: 1, img: {type: 3, w: 120, h: 60}},
    {id: 3, data: {type: 1, len: 30}},
  ],
  eventtrackers: [{event: 1, methods: [1]}],
};
const UNITS = [
  {code: 'banner', mediaTypes: {banner: {sizes: [[300, 250], [320, 50]]}}},
  {
    code: 'video',
    mediaTypes: {
      video: {
        context: 'instream', playerSize: [[320, 180]], mimes: ['video/webm'], protocols: [2, 3, 7],
        minduration: 1, maxduration: 30, linearity: 1, plcmt: 1,
      },
    },
  },
  {
    code: 'native',
    mediaTypes: {
      native: {
        ortb: NATIVE,
        adTemplate: '<a href="##hb_native_linkurl##"><b>##hb_native_asset_id_1##</b>'
          + '<img src="##hb_native_asset_id_2##" width="120" height="60"><i>##hb_native_asset_id_3##</i></a>',
      },
    },
  },
].map(unit => ({
  ...unit,
  // This page is served over plain HTTP, so ads may be too.
  ortb2Imp: {secure: 0},
  bids: [{bidder: 'bidlab', params: {}}],
}));

const done = {};
function report(code, outcome) {
  done[code] = outcome;
  document.getElementById('log').textContent = JSON.stringify(done, null, 1);
  if (UNITS.every(unit => unit.code in done) && SETTINGS.report) {
    fetch(SETTINGS.report, {method: 'POST', body: JSON.stringify(done)});
  }
}

function outcomeOf(bid, shown) {
  const billing = (bid.eventtrackers ?? []).map(tracker => tracker.url);
  return {seat: bid.bidderCode, mediaType: bid.mediaType, cpm: bid.cpm, currency: bid.currency, billing, shown};
}

function showInFrame(code, bid) {
  const frame = document.getElementById(code);
  pbjs.renderAd(frame.contentDocument, bid.adId);
  const looked = setInterval(() => {
    // Prebid.js draws a native ad, and some banners, in a frame inside ours.
    const inner = frame.contentDocument.querySelector('iframe');
    const body = (inner?.contentDocument ?? frame.contentDocument).body;
    const image = body?.querySelector('img');
    if (body?.innerText.trim() && (!image || image.complete)) {
      clearInterval(looked);
      report(code, outcomeOf(bid, {text: body.innerText, html: body.innerHTML}));
    }
  }, 50);
}

// A player as small as one can be: the file, the impression, the events on the way, the click.
function play(bid) {
  const vast = new DOMParser().parseFromString(bid.vastXml, 'text/xml');
  const call = url => url && (new Image().src = url.trim());
  const text = name => [...vast.querySelectorAll(name)].map(node => node.textContent.trim());
  const events = name => text(`Tracking[event="${name}"]`).forEach(call);
  const video = document.getElementById('video');
  video.src = text('MediaFile')[0];
  video.onplaying = () => {
    video.onplaying = null;
    text('Impression').forEach(call);
    events('start');
    pbjs.markWinningBidAsUsed({adId: bid.adId, events: true});
  };
  video.onended = () => {
    events('complete');
    report('video', outcomeOf(bid, {seconds: video.currentTime, width: video.videoWidth, height: video.videoHeight}));
  };
  video.onerror = () => report('video', {failed: video.error?.message ?? 'no video'});
  video.play().catch(error => report('video', {failed: String(error)}));
}

window.pbjs = window.pbjs || {};
pbjs.que = pbjs.que || [];
pbjs.que.push(() => {
  pbjs.setConfig({
    // Our player reads the VAST itself, so nobody needs to keep it for us.
    cache: {allowVastXmlOnly: true},
    s2sConfig: [{
      accountId: 'morning-paper', bidders: ['bidlab'], adapter: 'prebidServer', enabled: true, timeout: SETTINGS.tmax_ms,
      endpoint: {p1Consent: SETTINGS.exchange, noP1Consent: SETTINGS.exchange},
      endpointCompression: SETTINGS.gzip === true,
    }],
  });
  pbjs.addAdUnits(UNITS);
  pbjs.requestBids({
    timeout: 2 * SETTINGS.tmax_ms,
    bidsBackHandler() {
      for (const {code} of UNITS) {
        const [bid] = pbjs.getHighestCpmBids(code);
        if (!bid) report(code, {failed: 'no bid'});
        else if (code === 'video') play(bid);
        else showInFrame(code, bid);
      }
    },
  });
});
