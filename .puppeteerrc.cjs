// The browser is found or fetched by tools/setup.mjs; npm's own download during installation is skipped.
module.exports = { skipDownload: true };
