use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{self, ApiError};

const MOST: u32 = 100;

/// What a list of records is asked with, in a query or in a body. Names it does not know, such as
/// those a client adds for itself, are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ask {
    page_size: Option<u32>,
    pub max_records: Option<u32>,
    pub offset: Option<String>,
    pub fields: Vec<String>,
    pub filter_by_formula: Option<String>,
    pub sort: Vec<Sort>,
    cell_format: Option<String>,
    time_zone: Option<String>,
    user_locale: Option<String>,
    pub return_fields_by_field_id: bool,
    record_metadata: Vec<String>,
}

/// One of the fields that records are sorted by.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Sort {
    pub field: String,
    pub direction: Option<String>,
}

impl Ask {
    /// Reads the query of a `GET`.
    pub fn from_query(query: &str) -> Result<Ask, ApiError> {
        let mut ask = Ask::default();
        ask.add(query)?;
        Ok(ask)
    }

    /// Reads the body of a `POST`, beside which the official client leaves two parameters in the
    /// query.
    pub fn from_body(body: &[u8], query: &str) -> Result<Ask, ApiError> {
        let body: Value = serde_json::from_slice(body).map_err(|_| errors::unreadable())?;
        let mut ask: Ask =
            serde_json::from_value(body).map_err(|why| errors::invalid(&why.to_string()))?;
        ask.add(query)?;
        Ok(ask)
    }

    pub fn page_size(&self) -> Result<u32, ApiError> {
        match self.page_size.unwrap_or(MOST) {
            size @ 1..=MOST => Ok(size),
            _ => Err(errors::invalid("pageSize")),
        }
    }

    /// Whether cells are wanted as text; that needs to know where and for whom.
    pub fn as_text(&self) -> Result<bool, ApiError> {
        let told = self.time_zone.is_some() && self.user_locale.is_some();
        match self.cell_format.as_deref() {
            None | Some("json") => Ok(false),
            Some("string") if told => Ok(true),
            Some("string") => Err(errors::invalid("timeZone and userLocale are needed")),
            Some(_) => Err(errors::invalid("cellFormat")),
        }
    }

    pub fn with_comments(&self) -> bool {
        self.record_metadata
            .iter()
            .any(|name| name == "commentCount")
    }

    /// The formula, where there is one.
    pub fn formula(&self) -> Option<&str> {
        self.filter_by_formula
            .as_deref()
            .filter(|it| !it.trim().is_empty())
    }

    /// What makes one list different from another: a listing of one cannot go on as the other.
    pub fn list(&self, table: &str) -> String {
        let sort: Vec<Value> = self
            .sort
            .iter()
            .map(|by| json!([by.field, by.direction]))
            .collect();
        json!([table, self.formula(), sort]).to_string()
    }

    fn add(&mut self, query: &str) -> Result<(), ApiError> {
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !value.is_empty() {
                self.set(&name, value.into_owned())?;
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), ApiError> {
        let number = |value: &str| value.parse().map(Some).map_err(|_| errors::invalid(name));
        match name {
            "pageSize" => self.page_size = number(&value)?,
            "maxRecords" => self.max_records = number(&value)?,
            "offset" => self.offset = Some(value),
            "filterByFormula" => self.filter_by_formula = Some(value),
            "cellFormat" => self.cell_format = Some(value),
            "timeZone" => self.time_zone = Some(value),
            "userLocale" => self.user_locale = Some(value),
            "returnFieldsByFieldId" => {
                self.return_fields_by_field_id = matches!(&*value, "true" | "1")
            }
            _ if name.starts_with("fields[") => self.fields.push(value),
            _ if name.starts_with("recordMetadata[") => self.record_metadata.push(value),
            _ => return self.set_sort(name, value),
        }
        Ok(())
    }

    /// `sort[0][field]` and `sort[0][direction]`.
    fn set_sort(&mut self, name: &str, value: String) -> Result<(), ApiError> {
        let Some((number, part)) = name
            .strip_prefix("sort[")
            .and_then(|rest| rest.split_once("]["))
        else {
            return Ok(());
        };
        let number: usize = number.parse().map_err(|_| errors::invalid(name))?;
        // A list with holes would be as long as somebody likes.
        if number > self.sort.len() {
            return Err(errors::invalid(name));
        }
        if number == self.sort.len() {
            self.sort.push(Sort::default());
        }
        match part {
            "field]" => self.sort[number].field = value,
            "direction]" => self.sort[number].direction = Some(value),
            _ => return Err(errors::invalid(name)),
        }
        Ok(())
    }
}

impl Sort {
    pub fn descends(&self) -> Result<bool, ApiError> {
        match self.direction.as_deref() {
            None | Some("asc") => Ok(false),
            Some("desc") => Ok(true),
            Some(_) => Err(errors::invalid("sort")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_and_a_body_say_the_same() {
        let query = "pageSize=50&maxRecords=120&fields%5B%5D=Name&fields%5B%5D=fld1&sort%5B0%5D%5Bfield%5D=Name\
                     &sort%5B0%5D%5Bdirection%5D=desc&returnFieldsByFieldId=true&recordMetadata%5B%5D=commentCount\
                     &filterByFormula=&offset=itr1/rec1&view=viw1";
        let body = json!({
            "method": "post", "pageSize": 50, "maxRecords": 120, "fields": ["Name", "fld1"],
            "sort": [{ "field": "Name", "direction": "desc" }], "returnFieldsByFieldId": true,
            "recordMetadata": ["commentCount"], "offset": "itr1/rec1", "view": "viw1",
        });
        let asks = [
            Ask::from_query(query).unwrap(),
            Ask::from_body(body.to_string().as_bytes(), "").unwrap(),
        ];
        for ask in asks {
            assert_eq!(ask.page_size().unwrap(), 50);
            assert_eq!(ask.max_records, Some(120));
            assert_eq!(ask.fields, ["Name", "fld1"]);
            assert!(ask.sort[0].descends().unwrap());
            assert!(ask.return_fields_by_field_id && ask.with_comments());
            assert_eq!(ask.formula(), None);
            assert_eq!(ask.offset.as_deref(), Some("itr1/rec1"));
        }
    }

    #[test]
    fn a_page_has_at_most_a_hundred_records() {
        for (query, size) in [
            ("", Some(100)),
            ("pageSize=1", Some(1)),
            ("pageSize=101", None),
            ("pageSize=0", None),
        ] {
            assert_eq!(Ask::from_query(query).unwrap().page_size().ok(), size);
        }
        assert!(Ask::from_query("pageSize=many").is_err());
    }

    #[test]
    fn cells_as_text_need_a_zone_and_a_language_wherever_these_stand() {
        let body = br#"{"cellFormat":"string"}"#;
        assert!(Ask::from_body(body, "").unwrap().as_text().is_err());
        let query = "timeZone=Europe/Berlin&userLocale=de";
        assert!(Ask::from_body(body, query).unwrap().as_text().unwrap());
        assert!(
            !Ask::from_query("cellFormat=json")
                .unwrap()
                .as_text()
                .unwrap()
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(Ask::from_body(b"{", "").unwrap_err().status, 400);
        assert_eq!(
            Ask::from_body(br#"{"pageSize":"x"}"#, "")
                .unwrap_err()
                .status,
            422
        );
        assert!(Ask::from_query("sort[7][field]=Name").is_err());
    }
}
