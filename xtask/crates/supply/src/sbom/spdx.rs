//! The parts of SPDX 2.3 that an image needs: <https://spdx.github.io/spdx-spec/v2.3/>, in its JSON form.

use serde::Serialize;

/// What a field says that nobody has looked into.
pub(super) const NO_ASSERTION: &str = "NOASSERTION";

/// The document. Fields have the names of the specification.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub spdx_version: &'static str,
    pub data_license: &'static str,
    #[serde(rename = "SPDXID")]
    pub id: &'static str,
    pub name: String,
    pub document_namespace: String,
    pub creation_info: CreationInfo,
    pub packages: Vec<Package>,
    pub relationships: Vec<Relationship>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreationInfo {
    pub created: String,
    pub creators: Vec<String>,
}

/// One thing of the image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Package {
    #[serde(rename = "SPDXID")]
    pub id: String,
    pub name: String,
    pub version_info: String,
    pub download_location: String,
    pub files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
    pub license_concluded: &'static str,
    pub license_declared: String,
    pub copyright_text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_refs: Vec<ExternalRef>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checksum {
    pub algorithm: &'static str,
    pub checksum_value: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExternalRef {
    pub reference_category: &'static str,
    pub reference_type: &'static str,
    pub reference_locator: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relationship {
    pub spdx_element_id: String,
    pub relationship_type: &'static str,
    pub related_spdx_element: String,
}

impl Package {
    /// A package of this kind and name, of which nothing else is known yet. Identifiers have letters, digits, dots and hyphens only.
    pub(super) fn new(kind: &str, name: &str, version: &str, license: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let id: String = format!("{kind}-{name}-{version}").chars().map(plain).collect();
        Package {
            id: format!("SPDXRef-{id}"),
            name: name.to_owned(),
            version_info: version.to_owned(),
            download_location: NO_ASSERTION.to_owned(),
            files_analyzed: false,
            checksums: Vec::new(),
            license_concluded: NO_ASSERTION,
            license_declared: license.to_owned(),
            copyright_text: NO_ASSERTION,
            external_refs: Vec::new(),
        }
    }

    /// With its SHA-256.
    pub(super) fn hashed(mut self, sha256: &str) -> Self {
        self.checksums.push(Checksum { algorithm: "SHA256", checksum_value: sha256.to_owned() });
        self
    }

    /// With its package URL, by which databases of vulnerabilities know it.
    pub(super) fn known_as(mut self, purl: String) -> Self {
        self.external_refs.push(ExternalRef {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: purl,
        });
        self
    }
}
