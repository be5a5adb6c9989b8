// Node-RED of the stack: the flow of this folder, which the editor may look at and not change. The login of the broker is in the environment.
module.exports = {
    userDir: __dirname,
    flowFile: "flows.json",
    // flows_cred.json holds names of variables and no secret, so there is nothing to encrypt.
    credentialSecret: false,
    readOnly: true,
    uiHost: process.env.NODE_RED_HOST || "0.0.0.0",
    uiPort: Number(process.env.NODE_RED_PORT || 1880),
    editorTheme: { projects: { enabled: false }, tours: false },
    logging: { console: { level: "info", metrics: false, audit: false } },
};
